"""Who could give way: spot, and of each holder above his quota the newest work, as much as brings him back within it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eisbach.core.admission.cycle import decide
from eisbach.core.admission.giving_way import above_quota, candidates, right_of
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import MINIMUM_RUN_MS
from eisbach.core.scheduling.preempt import Right
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active

ON_DEMAND, SPOT = CapacityClass.ON_DEMAND, CapacityClass.SPOT
PROJECTS = ("alpha", "beta", "gamma")
NOW = 10 * MINIMUM_RUN_MS


def a_job_of(project, seq, gpus, kind=ON_DEMAND):
    job = an_active(f"{project}-{seq:02d}", seq, shapes=(a_shape(cores=0.1, gpus=gpus),), capacity_class=kind)
    job.project = project
    return job


def a_shared_state(quotas, jobs, gpus=16):
    """Two nodes; all jobs that fit run for longer than the minimum, the rest waits."""
    state = a_state(a_fleet(a_node("n1", cores=64, gpus=gpus // 2), a_node("n2", cores=64, gpus=gpus // 2)))
    for project, quota in zip(PROJECTS, quotas, strict=True):
        state.fair_share.add(project)
        if quota is not None:
            state.fair_share.set_quota(project, quota * 1000)
    for seq, (project, wanted, kind) in enumerate(jobs):
        job = a_job_of(project, seq, wanted, kind)
        state.add(job)
        shares = state.fleet.place(job.shapes[0], 1)
        if shares is not None:
            state.start(job, f"a{seq}", 0, shares, seq)
            state.run(job, seq, seq)
    return state


WORK = st.lists(
    st.tuples(st.sampled_from(PROJECTS), st.integers(1, 6), st.sampled_from([ON_DEMAND, ON_DEMAND, SPOT])), max_size=14
)
QUOTAS = st.tuples(*[st.one_of(st.none(), st.integers(0, 12))] * 3)


@given(QUOTAS, WORK)
def test_the_newest_work_above_a_quota_and_no_more_of_it(quotas, jobs):
    state = a_shared_state(quotas, jobs)
    above = list(above_quota(state))
    for project, quota in zip(PROJECTS, quotas, strict=True):
        mine = [job for job in state.holding.values() if job.project == project and job.capacity_class is ON_DEMAND]
        going = [job for job in above if job.project == project]
        staying = [job for job in mine if job not in going]
        if quota is None:
            assert going == []
            continue
        held = sum(job.gpu_milli for job in staying)
        assert held <= quota * 1000
        assert not going or held + going[-1].gpu_milli > quota * 1000, "the last of them was still above it"
        assert all(kept.planned_ms <= gone.planned_ms for kept in staying for gone in going)


@given(QUOTAS, WORK, WORK)
@example(  # beta, within its quota, takes what is idle in the same plan: nothing of it that ran before is above the quota by that
    (None, 3, None),
    [("alpha", 1, ON_DEMAND), ("alpha", 1, ON_DEMAND), ("alpha", 1, SPOT), ("alpha", 2, ON_DEMAND), ("beta", 2, ON_DEMAND)],
    [("alpha", 1, ON_DEMAND), ("alpha", 1, ON_DEMAND), ("alpha", 2, ON_DEMAND), ("beta", 6, ON_DEMAND)],
)
def test_only_spot_and_work_above_quotas_is_ever_stopped_and_never_for_less_right(quotas, jobs, later):
    state = a_shared_state(quotas, jobs)
    held = {project: state.fair_share.firm(project) for project in PROJECTS}
    for seq, (project, wanted, kind) in enumerate(later, 100):
        state.add(a_job_of(project, seq, wanted, kind))
    allowed = {job.job for job in above_quota(state)} | set(state.spot)
    plan = decide(state, NOW)
    assert {stop.job for stop in plan.stops} <= allowed
    assert {project: state.fair_share.firm(project) for project in PROJECTS} == held
    if plan.stops:
        waiting = [state.jobs[name] for name in plan.heads]
        stopped = {
            job.job: right
            for job in (state.jobs[stop.job] for stop in plan.stops)
            for right in [running_right(state, job)]
        }
        most = max(
            (right_of(state, job) for job in state.jobs.values() if job.state is JobState.WAITING), default=Right.SPOT
        )
        assert waiting
        assert all(right < most for right in stopped.values())


def running_right(state, job):
    return Right.SPOT if job.capacity_class is SPOT else Right.ABOVE_QUOTA


def test_nobody_who_has_just_begun_gives_way_but_to_a_booking():
    state = a_shared_state((None, None, None), [("alpha", 8, SPOT), ("beta", 8, SPOT)])
    now = MINIMUM_RUN_MS - 1
    assert all(one.is_fresh for one in candidates(state, now, Right.ON_DEMAND))
    assert not any(one.is_fresh for one in candidates(state, now, Right.RESERVED))


def test_rights_follow_class_and_quota():
    state = a_shared_state((4, None, None), [("alpha", 4, ON_DEMAND)])
    assert right_of(state, a_job_of("alpha", 50, 1)) is Right.ABOVE_QUOTA
    assert right_of(state, a_job_of("alpha", 50, 1, SPOT)) is Right.SPOT
    assert right_of(state, a_job_of("beta", 50, 1)) is Right.ON_DEMAND
    assert right_of(state, a_job_of("alpha", 50, 1, CapacityClass.RESERVED)) is Right.RESERVED


def test_who_is_thrown_back_above_a_quota_stands_back_whoever_rebuilds_the_queue():
    """Where it stood followed from what its owner held as the queue was made: after a restart it came first."""

    def a_quiet_state():
        state = a_state(a_fleet(a_node("n1", cores=64, gpus=4)))
        state.fair_share.add("alpha")
        state.fair_share.set_quota("alpha", 2000)
        return state

    state = a_quiet_state()
    back, newer = a_job_of("alpha", 1, 2), a_job_of("alpha", 9, 1)
    for job in (back, newer):
        state.add(job)
        state.start(job, f"a{job.seq}", 0, state.fleet.place(job.shapes[0], 1), job.seq)
    back.failures_ours += 1
    state.release(back, after=JobState.WAITING)
    state.add(a_job_of("alpha", 0, 1))
    order = [job for job, _ in state.queue.walk({}, state.fair_share)]
    assert order == ["alpha-00", "alpha-01"]
    rebuilt = a_quiet_state()
    for job in sorted(state.jobs.values(), key=lambda job: job.seq):
        rebuilt.add(job)
    assert [job for job, _ in rebuilt.queue.walk({}, rebuilt.fair_share)] == order


@pytest.mark.parametrize(
    ("first", "second", "at_ms", "ends_ms", "signal_ms"),
    [
        ((0, 300), (0, 300), 200, 300, 0),  # cancelled while it saves: the engine shortens its time, and never lengthens it
        ((0, 300), (0, 50), 200, 250, 0),
        ((600, 300), (0, 300), 200, 500, 200),
        ((600, 300), (600, 300), 200, 900, 600),
    ],
)
def test_who_is_asked_again_leaves_no_later(first, second, at_ms, ends_ms, signal_ms):
    state = a_state(a_fleet(a_node("n1")))
    state.add(an_active("spot", 1, shapes=(a_shape(4),), limit_ms=10**9, grace_ms=300, capacity_class=CapacityClass.SPOT))
    job, (start,) = state.jobs["spot"], decide(state, NOW).starts
    state.start(job, "a", start.shape, start.shares, NOW)
    state.run(job, NOW, NOW)
    state.stop(job, StopCause.PREEMPTION, first[1], NOW, first[0])
    state.stop(job, StopCause.CANCEL, second[1], NOW + at_ms, second[0])
    assert (job.stop_cause, job.releases_ms(), job.signal_ms) == (StopCause.CANCEL, NOW + ends_ms, NOW + max(at_ms, signal_ms))
    assert state.releases.by_limit[0][0] == NOW + ends_ms
    assert job.is_asked(NOW + at_ms) is (signal_ms <= at_ms)
