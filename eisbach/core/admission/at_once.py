"""The commonest cycles by far: one job is new, nothing else has changed, and it starts, or waits behind others. They need none of the other steps."""

from eisbach.core.admission.leaving_room import leaves_too_little, may_crowd
from eisbach.core.admission.plan import Plan, Start, plan_of_fields
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import Backfill


def at_once(state: SchedulerState, now: int) -> Plan | None:
    """Return the plan where one new job is all there is to look at and nothing but room counts; None where all steps are to be taken.

    Nobody is there who could give way (no cap, no spot, nobody above a quota), nothing limits a start but room (no cap, no promise
    that shares its nodes), it is too small to put off a promised gang (yielding.py), and it leaves small work
    room (leaving_room.py). Where it does not fit, or may pass nobody and somebody waits, it just waits, if it is promised
    nothing: neither the head of its class nor large.
    """
    seen = state.seen
    if len(seen.fresh) != 1 or state.power_caps or state.spot or state.calendar.shared or not state.is_settled(now):
        return None
    (name,) = seen.fresh
    job = state.jobs[name]
    if job.capacity_class is not CapacityClass.ON_DEMAND or job.booking or name in state.calendar.promises:
        return None
    if seen.yields or (state.calendar.promises and 0 < state.policy.promised_nodes <= 2 * job.nodes):
        return None
    if seen.heads and state.policy.backfill is Backfill.NONE:
        return _waits(state, job)
    place, ends_by = state.fleet.place, now + job.length_ms
    for index, shape in enumerate(job.shapes):
        shares = place(shape, job.nodes, job.where, within=job.within, ends_by=ends_by)
        if shares is not None:
            if may_crowd(state, job, now) and leaves_too_little(state, shares, {}):
                return None
            return _plan(state, (Start(name, index, shares),))
    return _waits(state, job)


def _waits(state: SchedulerState, job: ActiveJob) -> Plan | None:
    """Return the plan where nothing is to be done for a new job that does not fit, or may not pass those that wait; else None."""
    if 0 < state.policy.promised_nodes <= job.nodes or state.fair_share.is_any_above:
        return None
    jobs, queue = state.jobs, state.queue
    heads = [one for one in state.seen.heads if one in queue and jobs[one].capacity_class is job.capacity_class]
    if not heads or not queue.precedes(heads[0], job.job, state.fair_share):
        return None
    return _plan(state, ())


def _plan(state: SchedulerState, starts: tuple[Start, ...]) -> Plan:
    """Return the plan where nothing but these starts is decided: whoever was the first to wait still is."""
    return plan_of_fields((starts, (), (), (), state.seen.heads, None, None, True, state.spot_lead_ms, False))
