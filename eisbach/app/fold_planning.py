"""Folding events about promised starts and the scheduler's policy into the state."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app import events_planning as e
from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded, JobEnded, NodeChanged, NodeDeclared, NodeDrained
from eisbach.app.events_booking import BookingEnded, BookingMoved, BookingReduced, HoldReleased
from eisbach.app.events_health import ClosureEnded, NodeMarked, NodesCommissioned
from eisbach.app.state import FactoryState
from eisbach.app.state_planning import PlanningState
from eisbach.core.scheduling.policy import Backfill, Order, Policy
from eisbach.core.scheduling.promise import BreakCause, Given

FREES: Final = frozenset(
    {
        AttemptEnded, JobEnded, NodeDeclared, NodeChanged, NodeDrained, NodeMarked, NodesCommissioned, ClosureEnded,
        HoldReleased, BookingEnded, BookingMoved, BookingReduced,
    }
)  # fmt: skip
"""Kinds by which something is let go of, all of them decided before the cycle of their batch: promises may be earlier ones then."""


def saved_planning(state: FactoryState) -> PlanningState:
    """Return what a snapshot keeps of the policy and the promises."""
    promises = state.scheduler.calendar.promises
    given = [
        Given(job, entry.from_ms, entry.until_ms, entry.nodes, entry.is_shared) for job, entry in sorted(promises.items())
    ]
    return PlanningState(state.scheduler.policy, given, state.scheduler.looks.since_ms, state.scheduler.spot_grace_ms)


def restore_planning(state: FactoryState, saved: PlanningState) -> None:
    """Take over what a snapshot kept, before jobs are added: their order follows the policy."""
    state.scheduler.policy = saved.policy
    state.scheduler.looks.since_ms.update(saved.looked_ms)
    state.scheduler.spot_grace_ms = saved.spot_grace_ms
    for given in saved.promises:
        state.scheduler.promise(given, state.last_ms)


def _promised(state: FactoryState, seq: int, at_ms: int, body: e.StartPromised) -> None:
    state.scheduler.promise(Given(body.job, body.from_ms, body.until_ms, tuple(body.nodes), body.is_shared), at_ms)


def _unpromised(state: FactoryState, seq: int, at_ms: int, body: e.StartUnpromised) -> None:
    state.scheduler.break_promise(body.job)
    account = state.accounts.get(body.job)
    if account is not None and body.cause == BreakCause.POWER_CAP.value and not account.late_since_ms:
        account.late_since_ms = body.from_ms


def _scheduler_set(state: FactoryState, seq: int, at_ms: int, body: e.SchedulerSet) -> None:
    state.scheduler.set_policy(policy_of(body))


def policy_of(body: e.SchedulerSet) -> Policy:
    """Return the policy that an event tells of."""
    return Policy(
        name=body.policy,
        order=Order(body.order),
        backfill=Backfill(body.backfill),
        promises_max=body.promises_max,
        promised_nodes=body.promised_nodes,
        again_ms=body.again_ms,
        runtime_weight_permille=body.runtime_weight_permille,
        notice_ms=body.notice_ms,
        minimum_run_ms=body.minimum_run_ms,
        half_life_hours=body.half_life_hours,
    )


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {
    e.StartPromised: _promised,
    e.StartUnpromised: _unpromised,
    e.SchedulerSet: _scheduler_set,
}
