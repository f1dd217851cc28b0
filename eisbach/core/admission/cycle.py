"""One admission cycle. Read this first: it decides which waiting jobs start now and who gives way, and changes nothing."""

from eisbach.core.admission.placing import Placing
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
    """Return what starts and stops now. The state is the same before and after, but for delays that are over."""
    # 1. Jobs whose delay is over join the queue.
    state.wake(now)
    # 2. What a site draws above its cap gives way, spot first.
    placing = Placing(state, now)
    placing.give_way_to_caps()
    starts: list[Start] = []
    head: str | None = None
    shadow: Shadow | None = None
    closed: set[GroupKey] = set()
    tries: dict[GroupKey, int] = {}
    # 3. All jobs in queue order, but for groups of equal requests in which nothing more can start.
    for name, group in state.queue.walk(closed):
        if len(starts) >= STARTS_MAX:
            break
        job = state.jobs[name]
        # 4. Place tentatively on the live fleet, within the power of the sites.
        placed = placing.place(job)
        if placed is None:
            closed.add(group)
            # 5. The first job that does not fit takes from spot what it lacks, and keeps the start that the limits
            #    allow it, if ever there is one; or the power that is left.
            if shadow is None and placing.power_head is None:  # else what it takes would stay free for the first one's start
                placing.preempt_for(job)
            if shadow is None and not placing.keep_power_for(job):
                shadow = find_shadow(state.fleet, job.shapes, job.nodes, _releases(placing, starts, now), now, job.where)
                head = name if shadow is not None else None
            continue
        # 6. Everything behind it may start only where that start stays possible.
        ends_by = now + _length(job)
        if shadow is not None and not shadow.admits(placed[1], ends_by):
            tries[group] = tries.get(group, 0) + 1
            if tries[group] >= BACKFILL_TRIES_MAX:
                closed.add(group)
            continue
        placing.take(placed[1])
        starts.append(Start(name, placed[0], placed[1]))
    # 7. Roll back: a plan is a value, the applier makes it true.
    for start in reversed(starts):
        state.fleet.give_back(start.shares)
    at_ms = shadow.at_ms if shadow is not None else None
    return Plan(tuple(starts), head, at_ms, placing.stops, placing.power_head)


def _releases(placing: Placing, starts: list[Start], now: int) -> list[tuple[int, tuple[Share, ...]]]:
    jobs = placing.state.jobs
    planned = [(now + _length(jobs[start.job]), start.shares) for start in starts]
    return placing.releases() + planned


def _length(job: ActiveJob) -> int:
    return job.remaining_ms + job.grace_ms
