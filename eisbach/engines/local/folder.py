"""The journal of one attempt, which makes it start at most once and end exactly once.

One file of JSON lines, appended and synced, locked by the supervisor while it lives: the order (durable before the
server is answered, secrets without values), `started` (durable before any task; it forbids a second start for ever),
`running`, `outcome`. Its space on the disk is set aside with the order, so a full disk loses no outcome. A line torn by
a crash is skipped, since each begins with an end of line. Beside it lie `stop`, `artifacts` and the log.
"""

import fcntl
import os
from pathlib import Path

import msgspec

from eisbach.engines.local import durable
from eisbach.engines.local.layout import FORMAT_VERSION
from eisbach.engines.local.protocol import decode_other, encode_other
from eisbach.ports.engine import Artifact, Observation, StartOrder, StopOrder

_ROOM_BYTES = 4096
_ROOM_BYTES_OF_TASK = 512
"""Space for the lines after the order."""


class OrderFile(msgspec.Struct, frozen=True, tag="order"):
    """The order, with what the agent added: port and user id of the project."""

    order: StartOrder
    needs_secrets: bool
    port: int
    user_id: int | None
    version: int = FORMAT_VERSION


class Marker(msgspec.Struct, frozen=True, tag="started"):
    """Who supervises: a pid counts only with its start time and the boot id."""

    pid: int
    start: int
    boot_id: str
    groups: list[str]


class Running(msgspec.Struct, frozen=True, tag="running"):
    """When all tasks ran, on both clocks, and the sessions that the tasks lead."""

    wall_ms: int
    boottime_ms: int
    sessions: list[int]


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """How it ended."""

    observation: Observation


Record = OrderFile | Marker | Running | Outcome

_encoder = msgspec.json.Encoder(enc_hook=encode_other)
_records: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record, dec_hook=decode_other)
_stops = msgspec.json.Decoder(StopOrder)
_artifacts = msgspec.json.Decoder(list[Artifact])


class Journal:
    """What a journal says, read at one moment."""

    def __init__(self, records: list[Record]) -> None:
        self.order: OrderFile | None = None
        self.marker: Marker | None = None
        self.running: Running | None = None
        self.outcome: Observation | None = None
        for record in records:
            match record:
                case OrderFile():
                    self.order = self.order or record
                case Marker():
                    self.marker = self.marker or record
                case Running():
                    self.running = record
                case Outcome(observation):
                    self.outcome = self.outcome or observation


class AttemptFolder:
    """Reads and writes the files of one attempt."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = f"{path}/journal"
        self._log_deleted = path / "log-deleted"

    @property
    def log(self) -> Path:
        """Return the folder of the log's segments."""
        return self.path / "log"

    @property
    def log_was_deleted(self) -> bool:
        """Return whether there was a log whose time of keeping is over."""
        return self._log_deleted.exists()

    @property
    def is_emptied(self) -> bool:
        """Return whether nothing is left but the tombstone of the id."""
        return not os.path.exists(self._journal)

    def mark_log_deleted(self) -> None:
        """Note that the log is going to be deleted."""
        self._log_deleted.touch(mode=0o600)

    def empty(self) -> None:
        """Leave nothing but the tombstone of the id; the journal goes last, so that this can be repeated."""
        for name in ("stop", "artifacts", "journal"):
            (self.path / name).unlink(missing_ok=True)

    def forget_artifacts(self) -> None:
        """Remove the list of kept outputs."""
        (self.path / "artifacts").unlink(missing_ok=True)

    def create(self, order: OrderFile | None) -> None:
        """Make the folder and the journal, durably, with the order where there is one; raise OSError (ENOSPC)."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        line = b"" if order is None else _line(order)
        fd = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            tasks = 0 if order is None else len(order.order.tasks)
            durable.set_aside(fd, len(line) + _ROOM_BYTES + tasks * _ROOM_BYTES_OF_TASK)
            durable.write_all(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)
        durable.sync_folder(self.path)
        durable.sync_folder(self.path.parent)

    def read(self) -> Journal:
        """Return what the journal says now."""
        records = []
        for line in (durable.read_file(Path(self._journal)) or b"").split(b"\n"):
            if line:
                try:
                    records.append(_records.decode(line))
                except msgspec.DecodeError:
                    continue  # torn by a crash of the machine: it was never acknowledged
        return Journal(records)

    def append(self, record: Record, *, durably: bool = True) -> None:
        """Add a record; `running` need not be durable, since after a crash of the machine the attempt counts as lost."""
        fd = os.open(self._journal, os.O_WRONLY | os.O_APPEND)
        try:
            durable.write_all(fd, _line(record))
            if durably:
                os.fsync(fd)
        finally:
            os.close(fd)

    def try_lock(self) -> int | None:
        """Return a descriptor that holds the attempt's lock, None where another process holds it."""
        fd = os.open(self._journal, os.O_RDWR)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def write_stop(self, order: StopOrder) -> None:
        """Keep the newest stop order, durably."""
        durable.write_file(self.path / "stop", _encoder.encode(order))

    def read_stop(self) -> StopOrder | None:
        """Return the newest stop order."""
        data = durable.read_file(self.path / "stop")
        return None if data is None else _stops.decode(data)

    def write_artifacts(self, artifacts: list[Artifact]) -> None:
        """Write the list of kept outputs durably."""
        durable.write_file(self.path / "artifacts", _encoder.encode(artifacts))

    def read_artifacts(self) -> list[Artifact]:
        """Return the list of kept outputs, empty where there is none."""
        data = durable.read_file(self.path / "artifacts")
        return [] if data is None else _artifacts.decode(data)

    def last_change_ms(self) -> int:
        """Return when anything in the folder was last written (UTC milliseconds): the last sign of life."""
        newest = 0
        for folder in (self.path, self.log):
            if folder.is_dir():
                newest = max([newest, *(entry.stat().st_mtime_ns for entry in os.scandir(folder))])
        return newest // 1_000_000


def _line(record: Record) -> bytes:
    return b"\n" + _encoder.encode(record) + b"\n"
