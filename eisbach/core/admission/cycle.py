"""One admission cycle. Read this first: it decides which waiting jobs start now, and changes nothing."""

from eisbach.core.admission.plan import Plan, Start
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.fleet import Share
from eisbach.core.scheduling.backfill import Shadow, find_shadow
from eisbach.core.scheduling.order import GroupKey

BACKFILL_TRIES_MAX = 100
"""Jobs of one group that are tried behind a blocked head in one cycle (Slurm's bf_max_job_test has the same role)."""

STARTS_MAX = 200
"""Starts in one plan; the rest follows in the next cycle, so that a commit stays short."""


def decide(state: SchedulerState, now: int) -> Plan:
    """Return what starts now. The state is the same before and after, except that delays that are over have ended."""
    # 1. Jobs whose delay is over join the queue.
    state.wake(now)
    starts: list[Start] = []
    head: str | None = None
    shadow: Shadow | None = None
    closed: set[GroupKey] = set()
    tries: dict[GroupKey, int] = {}
    # 2. All jobs in queue order, but for groups of equal requests in which nothing more can start.
    for name, group in state.queue.walk(closed):
        if len(starts) >= STARTS_MAX:
            break
        job = state.jobs[name]
        # 3. Place tentatively on the live fleet.
        placed = _place(state, job)
        if placed is None:
            closed.add(group)
            # 4. The first job that does not fit keeps the start that the limits allow it, if ever there is one.
            if shadow is None:
                shadow = find_shadow(state.fleet, job.shapes, job.nodes, _releases(state, starts, now), now, job.where)
                head = name if shadow is not None else None
            continue
        # 5. Everything behind it may start only where that start stays possible.
        ends_by = now + _length(job)
        if shadow is not None and not shadow.admits(placed[1], ends_by):
            tries[group] = tries.get(group, 0) + 1
            if tries[group] >= BACKFILL_TRIES_MAX:
                closed.add(group)
            continue
        state.fleet.take(placed[1])
        starts.append(Start(name, placed[0], placed[1]))
    # 6. Roll back: a plan is a value, the applier makes it true.
    for start in reversed(starts):
        state.fleet.give_back(start.shares)
    return Plan(tuple(starts), head, shadow.at_ms if shadow is not None else None)


def _place(state: SchedulerState, job: ActiveJob) -> tuple[int, tuple[Share, ...]] | None:
    for index, shape in enumerate(job.shapes):
        shares = state.fleet.place(shape, job.nodes, job.where)
        if shares is not None:
            return index, shares
    return None


def _releases(state: SchedulerState, starts: list[Start], now: int) -> list[tuple[int, tuple[Share, ...]]]:
    running = [(job.releases_ms, job.shares) for job in state.holding.values()]
    planned = [(now + _length(state.jobs[start.job]), start.shares) for start in starts]
    return running + planned


def _length(job: ActiveJob) -> int:
    return job.remaining_ms + job.grace_ms
