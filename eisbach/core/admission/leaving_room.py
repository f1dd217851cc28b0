"""Large gangs leave small work room: who may not start now, though it fits, because small work would have too little left."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

from eisbach.core.admission.placing import Placing
from eisbach.core.admission.plan import Start
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.pool import Pool
from eisbach.core.capacity.share import Share
from eisbach.core.jobs.request import WHOLE, CapacityClass
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS

ROOM_PART: Final = 5
"""Small work is left a fifth of a pool at most, with what it holds."""
BRIEF_MS: Final = 30 * MINUTE_MS
"""A gang that is over by then takes nothing from anybody for long."""
PATIENCE_MS: Final = 24 * HOUR_MS
"""For so long after its submission a gang is held back: where small work never lets go, it is one among all again."""


def is_crowding(placing: Placing, job: ActiveJob) -> bool:
    """Return whether a job that fits now has to wait, as it would leave small work too little.

    Small work comes in bursts and runs for minutes where gangs run for hours: a gang that takes all that is free before a burst
    keeps hundreds of jobs waiting. So who needs half of `promised_nodes` or more leaves small work as much again as that
    holds of the pool, up to a fifth of the pool together; where there is none, gangs may have all. Small is what needs fewer nodes.
    All of it is counted in GPUs: work without them is neither held back nor counted.
    Whoever is brief, has waited for a day or was thrown back by us is not held back, nor is who is promised a start that is due
    (the caller knows).
    """
    state, now = placing.state, placing.now
    if not may_crowd(state, job, now) or (placed := placing.place(job)) is None:
        return False
    if not leaves_too_little(state, placed[1], placing.starts):
        return False
    placing.look_again(job.submitted_ms + PATIENCE_MS)
    return True


def may_crowd(state: SchedulerState, job: ActiveJob, now: int) -> bool:
    """Return whether a job may be one that has to leave room: large, on demand, for long, and not waiting for a day."""
    if not _is_large(state, job) or job.capacity_class is not CapacityClass.ON_DEMAND or not job.gpu_milli or job.key()[1] == 0:
        return False
    return job.length_ms > BRIEF_MS and now < job.submitted_ms + PATIENCE_MS


def leaves_too_little(state: SchedulerState, shares: Sequence[Share], starts: Mapping[str, Start]) -> bool:
    """Return whether shares that are free, once taken, would leave small work too little of their pools; `starts` run already."""
    pools = {seat[0] for share in shares if (seat := state.fleet.seat_of(share.node)) is not None}
    room = sum(len(pool.named) * pool.kind.gpus for pool in pools) * WHOLE // ROOM_PART
    taken = sum(len(share.gpus) * WHOLE for share in shares)
    if 2 * (sum(pool.free_whole() * pool.kind.gpus for pool in pools) * WHOLE - taken) >= room:  # enough, whatever small work holds
        return False
    small, spot = _held_by_small(state, pools, starts)
    return sum(pool.free()[2] for pool in pools) + spot - taken < min(small, room - small)


def _held_by_small(state: SchedulerState, pools: Set[Pool], starts: Mapping[str, Start]) -> tuple[int, int]:
    """Return how many thousandths of a GPU small work holds of some pools, and how many spot, which leaves when others come."""
    small, spot = 0, 0
    held = [(job, job.shares) for job in state.holding.values()]
    held += [(state.jobs[name], start.shares) for name, start in starts.items()]
    for job, shares in held:
        seat = state.fleet.seat_of(shares[0].node)
        if job.booking or seat is None or seat[0] not in pools:
            continue
        if job.capacity_class is CapacityClass.SPOT:
            spot += job.gpu_milli
        elif not _is_large(state, job):
            small += job.gpu_milli
    return small, spot


def _is_large(state: SchedulerState, job: ActiveJob) -> bool:
    return 0 < state.policy.promised_nodes <= 2 * job.nodes
