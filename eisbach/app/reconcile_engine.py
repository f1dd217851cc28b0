"""A round that heals what a crash between two steps left: what should run against what the engine knows."""

from typing import TYPE_CHECKING

from eisbach.app import record_observation
from eisbach.app.start_attempt import order_facts, stop_order
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.reconcile.diff import Desired, EngineCommand, diff
from eisbach.ports.crash import reached
from eisbach.ports.engine import Ending, Observation, StartOrder, StopOrder

if TYPE_CHECKING:
    from eisbach.app.application import Application

STOP_UNKNOWN_GRACE_MS = 5_000
Facts = dict[str, tuple[JobState, StartOrder, StopOrder | None]]


def reconcile(application: "Application") -> int:
    """Close the difference between log and engine; return how many commands that took. Idempotent, no arguments.

    The log is read before and after the engine is looked at. What the log did not know before may have begun since,
    and what it does not know afterwards may just have ended: only what both readings say is acted upon.
    """
    reached("recover.before_reconcile")
    before = _facts(application)
    seen = {one.attempt_id: one for one in application.engine.observe()}
    for one in seen.values():
        application.observed(one)
    after = _facts(application)
    ended = {attempt for attempt, one in seen.items() if one.ending is not None}
    desired = [Desired(attempt, before[attempt][0]) for attempt in before.keys() & after.keys()]
    known = {attempt for attempt in seen if attempt in before or attempt not in after}
    commands = diff(desired, known, ended & known)
    for command, attempt in commands:
        _carry_out(application, command, attempt, before)
    return len(commands)


def _carry_out(application: "Application", command: EngineCommand, attempt: str, facts: Facts) -> None:
    match command:
        case EngineCommand.START:
            application.teller.put(facts[attempt][1])
        case EngineCommand.STOP:
            stop = facts[attempt][2] if attempt in facts else None
            application.teller.put(stop or _stop_unknown(attempt, application.epoch))
        case EngineCommand.FORGET:
            application.teller.put(attempt)
        case EngineCommand.RECORD_LOST:
            lost = Observation(
                attempt_id=attempt, running_since_ms=None, held_ms=0, ending=Ending.LOST, detail="the engine lost it"
            )
            application.perform(record_observation.command(lost))


def _stop_unknown(attempt: str, epoch: int) -> StopOrder:
    return StopOrder(attempt_id=attempt, epoch=epoch, cause=StopCause.DRAIN, grace_ms=STOP_UNKNOWN_GRACE_MS)


def _facts(application: "Application") -> Facts:
    epoch = application.epoch

    def ask(state: FactoryState, now: int) -> Facts:
        return {
            attempt: (job.state, order_facts(state, job, epoch), stop_order(job, epoch, now))
            for attempt, job in state.scheduler.holding.items()
        }

    return application.ask(ask).result()
