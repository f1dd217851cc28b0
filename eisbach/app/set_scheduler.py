"""The policy of the scheduler: which holds, and that the operator sets another one; replays know from the log which held when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_planning import SchedulerSet
from eisbach.app.state import FactoryState
from eisbach.core.scheduling.policy import HALF_LIFE_HOURS, MINIMUM_RUN_MS, NOTICE_MS, POLICIES, Policy
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

NOTICE_MS_MAX = HOUR_MS
MINIMUM_RUN_MS_MAX = DAY_MS
HALF_LIFE_HOURS_MAX = 90 * 24


def command(
    actor: Actor,
    *,
    policy: str,
    notice_ms: int = NOTICE_MS,
    minimum_run_ms: int = MINIMUM_RUN_MS,
    half_life_hours: int = HALF_LIFE_HOURS,
) -> Command:
    """Return the command that lets the scheduler decide by the policy of that name from now on, with this notice before it
    preempts, this minimum of time that attempts run before, and this half-life of usage."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        wanted = POLICIES.get(policy)
        if wanted is None:
            return Refusal(
                Reason.INVALID_ARGUMENT,
                f"There is no policy {policy!r}",
                f"Name one of {', '.join(POLICIES)}",
                "policy",
                {"policy": policy, "known": list(POLICIES)},
            )
        wanted = replace(wanted, notice_ms=notice_ms, minimum_run_ms=minimum_run_ms, half_life_hours=half_life_hours)
        return out_of_bounds(wanted) or exactly(actor, wanted)(state, context)

    return decide


def exactly(actor: Actor, wanted: Policy) -> Command:
    """Return the command that lets the scheduler decide by this very policy, with all its numbers: for worlds that are played."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if state.scheduler.policy == wanted:
            return Decision(reply={**described(wanted), "changed": False})
        event = SchedulerSet(
            policy=wanted.name,
            order=wanted.order.value,
            backfill=wanted.backfill.value,
            promises_max=wanted.promises_max,
            promised_nodes=wanted.promised_nodes,
            again_ms=wanted.again_ms,
            runtime_weight_permille=wanted.runtime_weight_permille,
            by=actor.token,
            notice_ms=wanted.notice_ms,
            minimum_run_ms=wanted.minimum_run_ms,
            half_life_hours=wanted.half_life_hours,
        )
        return Decision(events=(event,), reply={**described(wanted), "changed": True})

    return decide


def out_of_bounds(policy: Policy) -> Refusal | None:
    """Return why a policy cannot have these numbers, or None."""
    notice_ms, minimum_run_ms, half_life_hours = policy.notice_ms, policy.minimum_run_ms, policy.half_life_hours
    if not 0 <= notice_ms <= NOTICE_MS_MAX:
        what, do = f"A notice of {notice_ms} ms is not possible", f"Give from 0 to {NOTICE_MS_MAX // MINUTE_MS} minutes"
        return Refusal(Reason.INVALID_ARGUMENT, what, do, "notice_ms", {"notice_ms": notice_ms})
    if not 0 <= minimum_run_ms <= MINIMUM_RUN_MS_MAX:
        what, do = f"A minimum of {minimum_run_ms} ms before work gives way is not possible", "Give from 0 to a day"
        return Refusal(Reason.INVALID_ARGUMENT, what, do, "minimum_run_ms", {"minimum_run_ms": minimum_run_ms})
    if not 1 <= half_life_hours <= HALF_LIFE_HOURS_MAX:
        what, do = f"A half-life of {half_life_hours} hours is not possible", f"Give from 1 hour to {HALF_LIFE_HOURS_MAX // 24} days"
        return Refusal(Reason.INVALID_ARGUMENT, what, do, "half_life_hours", {"half_life_hours": half_life_hours})
    return None


def question() -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question which policy holds, and how many starts are promised."""

    def ask(state: FactoryState, now: int) -> dict[str, Any]:
        scheduler = state.scheduler
        return {**described(scheduler.policy), "promises": len(scheduler.calendar.promises), "waiting": len(scheduler.queue)}

    return ask


def described(policy: Policy) -> dict[str, Any]:
    """Return a policy as faces show it."""
    return {
        "policy": policy.name,
        "order": policy.order.value,
        "backfill": policy.backfill.value,
        "promises_max": policy.promises_max,
        "promised_nodes": policy.promised_nodes,
        "again_ms": policy.again_ms,
        "runtime_weight_permille": policy.runtime_weight_permille,
        "notice_ms": policy.notice_ms,
        "minimum_run_ms": policy.minimum_run_ms,
        "half_life_hours": policy.half_life_hours,
    }
