"""The promise register: what was said in public, taken from its file into the log, where nothing of it is ever lost."""

from collections.abc import Sequence
from enum import Enum

import msgspec

from eisbach.app.commands import Command, Context, Decision
from eisbach.app.event_body import Body
from eisbach.app.events_promises import PromiseDropped, PromiseRecorded, PromiseRestated
from eisbach.app.promise_measures import MEASURES
from eisbach.app.promise_wordings import WORDING_FIELDS, WordingFacts, as_tuple, key_of
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Reason, Refusal

LATER_WORDING, REGISTER_EDITED = "later-wording", "register-edited"


class Comparison(Enum):
    """How a figure was promised: it or more, it give or take a twentieth, it or less."""

    AT_LEAST = "at-least"
    AROUND = "around"
    UP_TO = "up-to"


class Evidence(Enum):
    """What was read: the speaker's own page, a page that reports it, or none with this wording."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"


class PromiseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A promise as the register names it: its wordings, oldest first."""

    promise: str
    wordings: tuple[WordingFacts, ...]


def command(promises: Sequence[PromiseFacts]) -> Command:
    """Return the command that takes the register into the log; an unchanged register changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        for facts in promises:
            unknown = next((one.metric for one in facts.wordings if one.metric not in MEASURES), None)
            if unknown is not None:
                what = f"The promise {facts.promise} is measured by {unknown!r}, which this factory has no measure for"
                do = f"Known measures: {', '.join(sorted(MEASURES))}"
                return Refusal(Reason.INVALID_ARGUMENT, what, do, f"promise.{facts.promise}.metric")
        events = _changes(state, promises)
        return Decision(events=tuple(events), reply={"changes": len(events)})

    return decide


def _changes(state: FactoryState, promises: Sequence[PromiseFacts]) -> list[Body]:
    events: list[Body] = []
    known = state.promises.records
    for facts in promises:
        record = known.get(facts.promise)
        current = dict(record.current) if record is not None else {}
        for wording in facts.wordings:
            before = current.get(key_of(wording))
            if before == as_tuple(wording):
                continue
            said = {name: getattr(wording, name) for name in WORDING_FIELDS}
            if record is None and not current:
                events.append(PromiseRecorded(promise=facts.promise, **said))
            else:
                cause = LATER_WORDING if before is None else REGISTER_EDITED
                events.append(PromiseRestated(promise=facts.promise, cause=cause, **said))
            current[key_of(wording)] = as_tuple(wording)
        if record is not None and record.is_dropped:
            events.append(PromiseDropped(promise=facts.promise, dropped=False))
    named = {facts.promise for facts in promises}
    gone = (promise for promise, record in known.items() if promise not in named and not record.is_dropped)
    return events + [PromiseDropped(promise=promise, dropped=True) for promise in gone]
