"""The bytes of an announced data set come in, in as many pieces and breaks as it takes; whole, it becomes ready."""

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from eisbach.app.commands import Answer, Command, Context, Decision
from eisbach.app.data_shelves import DISK_FULL, GONE, known, shelf_of
from eisbach.app.events_data import DataSetCreated
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataSet, Stage
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.crash import reached
from eisbach.ports.objects import Content, Incoming, ObjectDamaged, ObjectsFull, Shelf, UploadBusy

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.data")

_IS_THERE = (Stage.UPLOADING, Stage.READY)
BUSY = Refusal(
    Reason.UPLOAD_BUSY,
    "Somebody else is sending bytes of this data set at this moment",
    "Let one of you go on; after a broken connection try again in some seconds",
)


def progress(application: "Application", data_set: str) -> tuple[DataSet, int] | Refusal:
    """Return a data set and how many of its bytes are durable; one that is whole becomes ready on the way. Blocks."""
    found = known(application, data_set)
    if found is None or found.stage not in _IS_THERE:
        return GONE
    if found.stage is Stage.READY:
        return found, found.size
    if found.expires_ms <= application.clock.now():
        return GONE
    offset = application.objects.offset(_shelf(application, found), data_set, found.size)
    if offset == found.size:
        problem = finish(application, found)
        if isinstance(problem, Refusal):
            return problem
    return found, offset


class Reception:
    """One piece of an upload, from `open` to `close`; for one thread at a time, all calls block."""

    def __init__(self, application: "Application", data_set: str) -> None:
        self._application, self._data_set = application, data_set
        self._closing = ExitStack()
        self._found: DataSet | None = None
        self._incoming: Incoming | None = None

    @property
    def room(self) -> int:
        """Return how many bytes are missing."""
        return self._found.size - self._incoming.offset if self._found is not None and self._incoming is not None else 0

    def open(self, offset: int) -> Refusal | None:
        """Begin at an offset; refused where it is not the one that is durable, or somebody else writes."""
        found = progress(self._application, self._data_set)
        if isinstance(found, Refusal):
            return found
        self._found, durable = found
        if offset != durable:
            what = f"The upload is at byte {durable}, not at {offset}"
            values = {"offset": durable, "sent_offset": offset}
            return Refusal(Reason.WRONG_OFFSET, what, "Ask for the offset (HEAD) and go on from there", "Upload-Offset", values)
        if durable == self._found.size:
            return None
        try:
            shelf = _shelf(self._application, self._found)
            self._incoming = self._closing.enter_context(
                self._application.objects.append(shelf, self._data_set, self._found.size)
            )
        except UploadBusy:
            return BUSY
        except ObjectsFull:
            return DISK_FULL
        if self._incoming.offset != offset:  # somebody was faster
            self._closing.close()
            return BUSY
        return None

    def write(self, data: bytes) -> Refusal | None:
        """Add bytes; refused where they are more than the file was announced with, or the disk is full."""
        if not data:
            return None
        if len(data) > self.room or self._incoming is None:
            size = self._found.size if self._found is not None else 0
            what = f"There are more bytes than the {size} that the upload was announced with"
            return Refusal(Reason.TOO_LARGE, what, "Announce the file anew with its whole size", "Upload-Length", {"size": size})
        try:
            self._incoming.write(data)
        except OSError as error:
            return self._full(error)
        return None

    def close(self) -> int | Refusal:
        """Make durable what came; return the offset now. Where that was the last byte, the data set is ready."""
        try:
            self._closing.close()
        except ObjectsFull:
            return DISK_FULL
        reached("data.piece_durable")
        found = progress(self._application, self._data_set)
        return found if isinstance(found, Refusal) else found[1]

    def _full(self, error: OSError) -> Refusal:
        try:
            if self._closing.__exit__(type(error), error, error.__traceback__):
                return DISK_FULL
        except ObjectsFull:
            return DISK_FULL
        raise error


def finish(application: "Application", found: DataSet) -> Answer:
    """Have a data set ready whose bytes are all there; repeating it changes nothing."""
    content = application.objects.seal(_shelf(application, found), found.data_set, found.size)
    reached("data.sealed")
    return application.perform(_created(found.data_set, content)).result()


def finish_whole(application: "Application", uploading: list[DataSet]) -> int:
    """Finish the uploads whose last byte is there and whose end a crash swallowed; return how many."""
    finished = 0
    for one in uploading:
        if application.objects.offset(_shelf(application, one), one.data_set, one.size) == one.size:
            try:
                finished += not isinstance(finish(application, one), Refusal)
            except ObjectDamaged as error:
                log.error("the upload %s cannot become a data set: %s", one.data_set, error)
    return finished


def _created(data_set: str, content: Content) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = state.data.sets.get(data_set)
        if found is None or found.stage not in _IS_THERE:
            return GONE
        reply = {"data_set": data_set, "sha256": content.sha256, "manifest": content.manifest, "size": content.size}
        if found.stage is Stage.READY:
            return Decision(reply=reply)
        event = DataSetCreated(
            data_set=data_set,
            project=found.project,
            size=content.size,
            sha256=content.sha256,
            manifest=content.manifest,
            chunks=content.chunks,
            keep_until_ms=None if found.keep_ms is None else context.now + found.keep_ms,
        )
        return Decision(events=(event,), reply=reply)

    return decide


def _shelf(application: "Application", found: DataSet) -> Shelf:
    return shelf_of(application, found.project, found.places[0])
