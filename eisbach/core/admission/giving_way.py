"""Who could give way to a waiting job, and what it asks for: what the choice of victims (scheduling/preempt.py) looks at."""

from collections.abc import Container, Iterable, Iterator
from typing import Final

from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.fair_share import Standing
from eisbach.core.scheduling.preempt import Ask, Right, Running, work_lost


def right_of(state: SchedulerState, job: ActiveJob) -> Right:
    """Return the right of a waiting job: to take from whoever has less."""
    return Right.ABOVE_QUOTA if is_above_quota(state, job) else _RIGHTS[job.capacity_class]


def is_above_quota(state: SchedulerState, job: ActiveJob) -> bool:
    """Return whether a waiting job would be above a quota; spot and what runs inside a booking never are."""
    if job.capacity_class is not CapacityClass.ON_DEMAND:
        return False
    return state.fair_share.standing(job.project, job.gpu_milli) is Standing.ABOVE_QUOTA


def may_anybody(state: SchedulerState, right: Right) -> bool:
    """Return whether anybody at all could give way to work with this right: known without looking at what runs."""
    return bool((right > Right.SPOT and state.spot) or (right > Right.ABOVE_QUOTA and state.fair_share.is_any_above))


def candidates(
    state: SchedulerState, now: int, right: Right, stopped: Container[str] = (), started: Iterable[ActiveJob] = ()
) -> list[Running]:
    """Return all who could give way to work with this right, and all who are leaving; `stopped` and `started` are so by this plan.

    Who booked starts within notice and grace, as his quote said: for him nobody has run too shortly.
    """
    found = {job.job: (job, Right.SPOT) for job in state.spot.values()}
    if right > Right.ABOVE_QUOTA and state.fair_share.is_any_above:
        found.update((job.job, (job, Right.ABOVE_QUOTA)) for job in above_quota(state, started))
    for job in state.holding.values():
        if job.job not in found and (job.state is JobState.STOPPING or job.job in stopped):
            found[job.job] = (job, Right.RESERVED)
    minimum_ms = state.policy.minimum_run_ms
    return [
        Running(
            job.job,
            its_right,
            _lost(job, now),
            job.shares,
            is_leaving=job.state is JobState.STOPPING or job.job in stopped,
            is_fresh=right < Right.RESERVED and (job.running_ms is None or now - job.running_ms < minimum_ms),
        )
        for job, its_right in found.values()
    ]


def above_quota(state: SchedulerState, started: Iterable[ActiveJob] = ()) -> Iterator[ActiveJob]:
    """Yield the on-demand work that is above a quota: of each holder the newest attempts, until the rest is within it.

    What a plan has `started` is newer than all that runs: who takes what is idle brings nobody above his quota who was within it.
    """
    newest = sorted(
        (job for job in state.holding.values() if job.capacity_class is CapacityClass.ON_DEMAND),
        key=lambda job: (-job.planned_ms, -job.seq),
    )
    above = state.fair_share.above_quota()
    for job in started:
        if job.capacity_class is not CapacityClass.SPOT:
            for name in state.fair_share.path(job.project):
                if name in above:
                    above[name] -= job.gpu_milli
    for job in newest:
        holders = [name for name in state.fair_share.path(job.project) if above.get(name, 0) > 0]
        if holders and job.gpu_milli:
            for name in holders:
                above[name] -= job.gpu_milli
            yield job


def asks_of(job: ActiveJob, ends_by: int, among: Iterable[str] | None = None) -> list[Ask]:
    """Return what a waiting job asks for, one for each of its shapes; `among` are the nodes that it must choose from."""
    named = frozenset(among) if among is not None else None
    return [Ask(shape, job.nodes, job.where, job.within, ends_by, named) for shape in job.shapes]


def all_running(state: SchedulerState, now: int, stopped: Container[str] = ()) -> list[Running]:
    """Return all that holds shares, with what would be lost of it: what a cap on power chooses from.

    Who is within his notice still draws power: he goes first, before anybody who would otherwise stay.
    """
    return [
        Running(
            job.job,
            Right.SPOT if job.state is JobState.STOPPING else _RIGHTS[job.capacity_class],
            0 if job.state is JobState.STOPPING else _lost(job, now),
            job.shares,
            is_leaving=job.is_asked(now) or job.job in stopped,
        )
        for job in state.holding.values()
    ]


def _lost(job: ActiveJob, now: int) -> int:
    """Return what would be lost of an attempt: from its last known checkpoint, else from its start; its signal may save more."""
    return work_lost(max(0, now - job.running_ms - job.saved_ms), job.shares) if job.running_ms is not None else 0


_RIGHTS: Final = {
    CapacityClass.SPOT: Right.SPOT,
    CapacityClass.ON_DEMAND: Right.ON_DEMAND,
    CapacityClass.RESERVED: Right.RESERVED,
}


def first_eligible_ms(state: SchedulerState, now: int, right: Right) -> int | None:
    """Return when the next of those could give way who have run too shortly for it now; None where there is none.

    What is starting could at the earliest when it has run so long from now on.
    """
    running = list(state.spot.values()) if right < Right.RESERVED else []
    if right == Right.ON_DEMAND and state.fair_share.is_any_above:
        running += above_quota(state)
    since = [(job.running_ms if job.running_ms is not None else now) + state.policy.minimum_run_ms for job in running]
    return min((at_ms for at_ms in since if at_ms > now), default=None)
