"""Running attempts settle at least hourly and at the month's end; what no longer has money is stopped."""

from typing import TYPE_CHECKING

from eisbach.app import money
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import Body, UsageSettled
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

SETTLE_EVERY_MS = HOUR_MS
AT_ONCE = 100


def settle_running(application: "Application") -> int:
    """Settle every attempt whose last settlement is an hour old or in an earlier month; return how many that were."""
    held = {one.attempt_id: one.held_ms for one in application.engine.observe() if one.ending is None}
    settled = 0
    while True:
        answer = application.perform(lambda state, context: _decide(state, context, held)).result()
        if isinstance(answer, Refusal) or not answer["settled"]:
            return settled
        settled += int(answer["settled"])


def _decide(state: FactoryState, context: Context, held: dict[str, int]) -> Decision | Refusal:
    """Open months, move reservations of waiting jobs, settle running attempts: at most AT_ONCE jobs a batch."""
    events: list[Body] = []
    for project in sorted({account.project for account in state.accounts.values()}):
        opened = money.open_period(state, project, context.now)
        if opened is not None:
            events.append(opened)
    if events:
        return Decision(events=tuple(events), reply={"settled": len(events)})
    done = 0
    spent: set[str] = set()
    for job in list(state.scheduler.jobs.values()):
        # One job of a project in a batch: the next one must see what this one left of the month's budget.
        if done >= AT_ONCE or job.project in spent:
            continue
        found = _due(state, job, context.now, held)
        if found:
            spent.add(job.project)
            done += 1
            events += found
    for project in [] if events else sorted({account.project for account in state.accounts.values()}):
        # A lowered budget: what was stopped for it may have spent more than was foreseen. Only projects with jobs that
        # have not ended are looked at: there may be hundreds of thousands without.
        stops = money.stops_for(state, project, money.overspent(state, project), context.now, SYSTEM.token)
        events += stops
        done += len(stops)
    return Decision(events=tuple(events), reply={"settled": done})


def _due(state: FactoryState, job: ActiveJob, now: int, held: dict[str, int]) -> list[Body]:
    if job.state is JobState.WAITING:
        moved = money.move_reservation(state, job, now)
        return [moved] if moved is not None else []
    held_ms = held.get(str(job.attempt))
    if held_ms is None:
        return []  # it has ended or has just been planned: its end, or the next round, settles it
    turned = money.turn_of_month(state, job, held_ms, now)
    if turned is not None:
        reserved = sum(amount for _, _, amount, kind in turned.transfers if kind == "reserve")
        is_short = reserved < state.accounts[job.job].cap - turned.job_charged
        return [turned, *_stop(job)] if is_short else [turned]
    account = state.accounts[job.job]
    if held_ms - account.attempt_settled_ms < SETTLE_EVERY_MS:
        return []
    settlement = money.settle(state, job, held_ms, is_charged=True, is_over=False)
    return [
        UsageSettled(
            attempt=str(job.attempt),
            job=job.job,
            held_ms=held_ms,
            charged_ms=settlement.charged_ms,
            charged=settlement.charged,
            job_charged=settlement.job_charged,
            job_charged_ms=settlement.job_charged_ms,
            period=account.period,
            next_period=account.period,
            transfers=settlement.transfers,
        )
    ]


def _stop(job: ActiveJob) -> list[Body]:
    return [] if job.state is JobState.STOPPING else [money.stop_for_budget(job, SYSTEM.token)]
