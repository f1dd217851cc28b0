"""Spot moves aside so that a waiting gang finds its nodes together: a round that says what that brings, in GPU-hours and euro.

It moves only where every victim has room again (core/scheduling/defragment.py) and where more GPU-time is gained than work is
lost, and no more than MOVES_AN_HOUR attempts in any hour. Each time stands in the log. Who moves is stopped as any preempted work:
with its signal and grace, not charged, first in line again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import JobStopping
from eisbach.app.events_shares import DefragmentationPlanned
from eisbach.app.state import FactoryState
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.giving_way import candidates
from eisbach.core.admission.outlook import estimate
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.calendar import EntryKind
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.scheduling.defragment import Movable, find_moves, gain_gpu_milli_ms
from eisbach.core.scheduling.preempt import Ask, Right
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

MOVES_AN_HOUR = 32
"""Attempts that are moved in any hour at most."""
GANGS_MAX = 8
"""Waiting gangs that one round looks at."""


def defragment(application: "Application") -> int:
    """Move spot aside for the first waiting gang for which that brings more than it costs; return how many moved."""
    answer = application.perform(_decide).result()
    return 0 if isinstance(answer, Refusal) else int(answer["moved"])


def _decide(state: FactoryState, context: Context) -> Decision | Refusal:
    allowance = MOVES_AN_HOUR - moved_since(state, context.now - HOUR_MS)
    if allowance > 0 and state.scheduler.spot:
        for job in _waiting_gangs(state, context.now):
            found = _moves_for(state, job, context.now, allowance)
            if found is not None:
                return found
    return Decision(reply={"moved": 0})


def moved_since(state: FactoryState, since_ms: int) -> int:
    """Return how many attempts were moved after an instant of the last hour."""
    return sum(moved for at_ms, moved in state.shares.moved if at_ms > since_ms)


def _waiting_gangs(state: FactoryState, now: int) -> list[ActiveJob]:
    """Return the gangs that stand first: of each class, and those with a promise, by when it was given for."""
    scheduler = state.scheduler
    promised = sorted(scheduler.calendar.promises.values(), key=lambda entry: (entry.from_ms, entry.id))
    names = dict.fromkeys([*decide(scheduler, now).heads, *(entry.id for entry in promised)])
    jobs = [scheduler.jobs[name] for name in names if name in scheduler.jobs]
    return [job for job in jobs if job.nodes > 1 and not job.booking and job.state is JobState.WAITING][:GANGS_MAX]


def _moves_for(state: FactoryState, job: ActiveJob, now: int, allowance: int) -> Decision | None:
    scheduler = state.scheduler
    promise = scheduler.calendar.promises.get(job.job)
    otherwise_ms = promise.from_ms if promise is not None else estimate(scheduler, job, now)
    if otherwise_ms is None:
        return None
    if promise is not None:
        scheduler.calendar.remove(EntryKind.PROMISE, job.job)  # its own nodes are not in its way
    try:
        found = [_planned(state, job, index, otherwise_ms, now, allowance) for index in range(len(job.shapes))]
    finally:
        if promise is not None:
            scheduler.calendar.add(promise)
    best = max((one for one in found if one is not None), key=lambda one: one.gain_gpu_milli_ms, default=None)
    if best is None:
        return None
    stops = [_stop(scheduler.jobs[name], scheduler.policy.notice_ms) for name in best.moved]
    return Decision(events=(best, *stops), reply={"moved": len(stops), "job": job.job})


def _planned(
    state: FactoryState, job: ActiveJob, index: int, otherwise_ms: int, now: int, allowance: int
) -> DefragmentationPlanned | None:
    """Return who would move for one shape of a gang, None where nobody can or it would cost more than it brings."""
    scheduler = state.scheduler
    jobs = scheduler.spot
    movable = [
        Movable(one, _again(jobs[one.job]))
        for one in candidates(scheduler, now, Right.ABOVE_QUOTA)
        if one.job in jobs and not one.is_leaving
    ]
    gang = Ask(job.shapes[index], job.nodes, job.where, job.within, now + job.length_ms)
    moves = find_moves(scheduler.fleet, gang, movable, allowance)
    if moves is None:
        return None
    earlier_ms = otherwise_ms - now - scheduler.policy.notice_ms - max(jobs[name].grace_ms for name in moves.jobs)
    gain = gain_gpu_milli_ms(gang, earlier_ms, moves.lost)
    if gain <= 0:
        return None
    return DefragmentationPlanned(
        job=job.job,
        moved=moves.jobs,
        lost_gpu_milli_ms=moves.lost,
        gain_gpu_milli_ms=gain,
        gain_micro_eur=_gain_micro_eur(state, job, index, earlier_ms, moves.jobs, now),
    )


def _again(job: ActiveJob) -> Ask:
    """Return what work asks for that would have to start again; spot leaves in time before any entry of the calendar."""
    return Ask(job.shapes[job.shape], job.nodes, job.where, job.within, 0)


def _gain_micro_eur(state: FactoryState, job: ActiveJob, shape: int, earlier_ms: int, moved: Sequence[str], now: int) -> int:
    """Return what the gang pays for the time gained, less what nobody pays of the attempts that move."""
    gained = state.accounts[job.job].prices[shape] * earlier_ms
    lost = 0
    for name in moved:
        victim = state.scheduler.jobs[name]
        held_ms = now - victim.running_ms if victim.running_ms is not None else 0
        lost += state.accounts[name].prices[victim.shape] * held_ms
    return (gained - lost) // HOUR_MS


def _stop(job: ActiveJob, notice_ms: int) -> JobStopping:
    cause = StopCause.PREEMPTION.value
    notice = notice_ms if job.running_ms is not None else 0
    return JobStopping(
        job=job.job, attempt=str(job.attempt), cause=cause, grace_ms=job.grace_ms, by=SYSTEM.token, notice_ms=notice
    )
