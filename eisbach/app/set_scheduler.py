"""The policy of the scheduler: which holds, and that the operator sets another one; replays know from the log which held when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_planning import SchedulerSet
from eisbach.app.state import FactoryState
from eisbach.core.scheduling.policy import NOTICE_MS, POLICIES, Policy
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

NOTICE_MS_MAX = HOUR_MS


def command(actor: Actor, *, policy: str, notice_ms: int = NOTICE_MS) -> Command:
    """Return the command that lets the scheduler decide by the policy of that name from now on, with this notice before it preempts."""

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
        if not 0 <= notice_ms <= NOTICE_MS_MAX:
            return Refusal(
                Reason.INVALID_ARGUMENT,
                f"A notice of {notice_ms} ms is not possible",
                f"Give from 0 to {NOTICE_MS_MAX // MINUTE_MS} minutes",
                "notice_ms",
                {"notice_ms": notice_ms},
            )
        wanted = replace(wanted, notice_ms=notice_ms)
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
        )
        return Decision(events=(event,), reply={**described(wanted), "changed": True})

    return decide


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
    }
