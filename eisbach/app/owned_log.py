"""An organisation's own part of the log: every event that is its, in order, and nothing that names anybody else's."""

from dataclasses import dataclass, field

from eisbach.app.as_told import as_told
from eisbach.app.event_body import Body
from eisbach.app.event_codec import OpenedEvent, open_event
from eisbach.app.events import KIND_OF, AttemptEnded, JobEnded, JobSubmitted
from eisbach.app.events_booking import BookingClosed, BookingMade
from eisbach.app.events_data import (
    DataSetAbandoned,
    DataSetAnnounced,
    DataSetCreated,
    DataSetDeleted,
    DataSetDeleting,
)
from eisbach.app.events_usage import UsageSettledTogether, only
from eisbach.app.exit_catalogue import EXPORTED, MAKES, OWNER_FIELDS
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.log.event import SealedEvent
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Reader

PAGE = 5_000
RECORDS_MAX = 200_000
"""An organisation with more events is not exported in one piece: an import is one transaction."""


@dataclass(slots=True)
class OwnedEvent:
    """An event of the organisation: its sealed form, its opened form, and what it tells."""

    sealed: SealedEvent
    opened: OpenedEvent
    told: Body
    left_behind: tuple[str, ...] = ()
    """jobs that it names and that have not ended"""

    @property
    def leaving(self) -> Body:
        """Return the body from which rows follow, without what it says of jobs that stay behind."""
        return self.told if self.left_behind else self.opened.body


@dataclass(slots=True)
class OwnedLog:
    """The events of an organisation and those below it, and what of it is unfinished and therefore stays behind."""

    organisation: str
    events: list[OwnedEvent] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    """organisations, projects, jobs and data sets that are the organisation's"""
    unfinished: dict[str, str] = field(default_factory=dict)
    """id of a job or data set that is not finished -> why it stays behind"""

    def take(self, sealed: SealedEvent, opened: OpenedEvent) -> bool:
        """Take the next event if it is the organisation's; return whether it is."""
        if opened.kind not in EXPORTED:
            return False
        told = as_told(opened.at_ms, opened.body)[1]
        if not self._is_own(told):
            return False
        made = MAKES.get(KIND_OF[type(told)])
        if made is not None:
            self.ids.add(getattr(told, made))
        self.events.append(OwnedEvent(sealed, opened, told))
        self._note_ends(told)
        return True

    def finished(self) -> list[OwnedEvent]:
        """Return the events without those of unfinished jobs and data sets.

        A settlement of many jobs leaves as it stands, and tells only of those that leave as well. A job inside a booking that
        is not closed stays behind with it.
        """
        for one in self.events:
            if isinstance(one.told, JobSubmitted) and one.told.booking in self.unfinished:
                self.unfinished.setdefault(one.told.job, "its booking is not closed")
        kept = [one for one in self.events if not self.unfinished.keys() & _named(one.told)]
        jobs = {one.told.job for one in kept if isinstance(one.told, JobSubmitted)}
        for one in kept:
            if isinstance(one.told, UsageSettledTogether):
                one.left_behind = tuple(sorted({*one.told.jobs} - jobs))
                one.told = only(one.told, one.left_behind)
        return kept

    def _is_own(self, told: Body) -> bool:
        kind = KIND_OF[type(told)]
        named = _named(told)
        if kind == "organisation.created":
            return self.organisation in named or getattr(told, "parent", None) in self.ids
        made = MAKES.get(kind)
        if made is not None:
            named.discard(getattr(told, made))
        return bool(named) and named <= self.ids

    def _note_ends(self, told: Body) -> None:
        match told:
            case JobSubmitted():
                self.unfinished[told.job] = "the job has not ended"
            case JobEnded():
                self.unfinished.pop(told.job, None)
            case BookingMade():
                self.unfinished[told.booking] = "the booking is not closed"
            case BookingClosed():
                self.unfinished.pop(told.booking, None)
            case DataSetAnnounced():
                self.unfinished[told.data_set] = "the upload is not whole"
            case DataSetDeleting():
                self.unfinished[told.data_set] = "it is being deleted"
            case DataSetCreated() | DataSetAbandoned() | DataSetDeleted():
                self.unfinished.pop(told.data_set, None)
            case AttemptEnded() if told.next == JobState.ENDED.value:
                self.unfinished.pop(told.job, None)


def read_owned(reader: Reader, organisation: str, size: int) -> OwnedLog | Refusal:
    """Return an organisation's part of the first `size` events of the log; reads all of them once."""
    owned = OwnedLog(organisation)
    after = -1
    while after < size - 1:
        page = reader.events(after_seq=after, limit=min(PAGE, size - 1 - after))
        for sealed in page:
            owned.take(sealed, open_event(sealed.data))
        if len(owned.events) > RECORDS_MAX:
            what = f"The organisation has more than {RECORDS_MAX} events, too many for one package"
            return Refusal(Reason.TOO_LARGE, what, "Ask the operator for the whole log and a backup")
        after = page[-1].seq
    return owned


def _named(told: Body) -> set[str]:
    """Return whose an event is, as far as it says."""
    return {value for name in OWNER_FIELDS if (value := getattr(told, name, None))}
