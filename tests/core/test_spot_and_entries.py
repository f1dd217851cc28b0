"""Spot beside bookings and promises: it fills what is idle, and keeps nobody from a start that was promised or paid for."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.admission.cycle import decide
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.scheduling.policy import DEFAULT, MINIMUM_RUN_MS, NOTICE_MS
from eisbach.core.scheduling.promise import BreakCause
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active
from tests.core.weeks import carry_out

NOW = 1_000_000
SPOT = CapacityClass.SPOT
ALL = (a_shape(8),)


def starts(plan):
    return [start.job for start in plan.starts]


def decided(state, now):
    plan = decide(state, now)
    carry_out(state, plan, now)
    return plan


def book(state, name, start, end, *nodes):
    state.calendar.add(Entry(EntryKind.BOOKING, name, start, end, nodes))


def go_to(state, until):
    """Carry out whatever is due before an instant; return the instant at which the next thing is."""
    while (now := state.next_instant()) < until:
        decided(state, now)
    return now


def half_a_gpu():
    return NodeShape(cpu_milli=1000, memory_mib=0, gpus=1, gpu_milli=500)


def test_spot_leaves_alone_the_part_of_a_node_that_is_promised():
    """It was let in until it would be told to leave, and nobody told it: such a promise does not date its node."""
    state = a_state(a_fleet(a_node("n1", cores=8)))
    state.add(an_active("short", 1, shapes=(a_shape(4),), limit_ms=HOUR_MS))
    state.add(an_active("long", 2, shapes=(a_shape(2),), limit_ms=10 * HOUR_MS))
    decided(state, NOW)
    state.add(an_active("head", 3, shapes=(a_shape(6),)))
    (promise,) = decided(state, NOW).given
    assert (promise.from_ms, promise.is_shared) == (NOW + HOUR_MS, True)
    state.add(an_active("spot", 4, shapes=(a_shape(2),), limit_ms=10 * HOUR_MS, capacity_class=SPOT))
    assert starts(decided(state, NOW + 1)) == []
    state.release(state.jobs["short"], after=JobState.ENDED)
    assert starts(decided(state, promise.from_ms)) == ["head"]


def test_two_halves_that_are_released_are_one_gpu():
    """They were counted as two, so others were let in beside a promise that needs both whole ones and this one."""
    state = a_state(a_fleet(a_node("n1", cores=64, gpus=4)))
    for seq, shape, limit_ms in ((1, half_a_gpu(), HOUR_MS), (2, half_a_gpu(), HOUR_MS), (3, a_shape(1, gpus=1), 10 * HOUR_MS)):
        state.add(an_active(f"j{seq}", seq, shapes=(shape,), limit_ms=limit_ms))
    decided(state, NOW)
    state.add(an_active("head", 4, shapes=(a_shape(1, gpus=3),)))
    assert [given.from_ms for given in decided(state, NOW).given] == [NOW + HOUR_MS]
    state.add(an_active("too-long", 5, shapes=(a_shape(1, gpus=1),), limit_ms=10 * HOUR_MS))
    assert starts(decided(state, NOW + 1)) == []


def test_what_would_be_too_much_beside_a_promise_goes_to_another_node():
    """The fullest node that holds it was the only one that was asked, so it waited, and promises broke one another."""
    state = a_state(a_fleet(a_node("n1", cores=8), a_node("n2", cores=8)))
    state.add(an_active("short", 1, shapes=(a_shape(5),), limit_ms=HOUR_MS))
    state.add(an_active("long", 2, shapes=(a_shape(4),), limit_ms=10 * HOUR_MS))
    decided(state, NOW)
    state.add(an_active("head", 3, shapes=(a_shape(7),)))
    (promise,) = decided(state, NOW).given
    (promised,) = promise.nodes
    assert (promise.is_shared, state.fleet.nodes[promised].free_cpu_milli) == (True, 3000)
    state.add(an_active("other", 4, shapes=(a_shape(3),), limit_ms=5 * HOUR_MS))
    (start,) = decided(state, NOW + 1).starts
    assert start.shares[0].node != promised


def test_spot_inside_a_booking_leaves_before_the_next_one_begins():
    state = a_state(a_fleet(a_node("n1")))
    book(state, "b1", NOW, NOW + 2 * HOUR_MS, "n1")
    book(state, "b2", NOW + 2 * HOUR_MS, NOW + 4 * HOUR_MS, "n1")
    state.add(an_active("spot", 1, shapes=ALL, limit_ms=10 * HOUR_MS, grace_ms=MINUTE_MS, capacity_class=SPOT))
    assert starts(decided(state, NOW + 1)) == ["spot"]
    leaves_ms = NOW + 2 * HOUR_MS - MINUTE_MS - NOTICE_MS
    assert go_to(state, leaves_ms) == leaves_ms
    assert [(stop.job, stop.cause) for stop in decide(state, leaves_ms).stops] == [("spot", StopCause.PREEMPTION)]


def test_spot_is_told_to_leave_in_time_although_other_spot_with_a_longer_grace_has_just_begun():
    """The cycle had looked as far ahead as the shorter grace, the next instant was reckoned with the longer one."""
    state = a_state(a_fleet(a_node("n1"), a_node("n2")))
    begins_ms = NOW + HOUR_MS
    book(state, "b1", begins_ms, begins_ms + HOUR_MS, "n1")
    state.add(an_active("spot", 1, shapes=ALL, limit_ms=10 * HOUR_MS, grace_ms=MINUTE_MS, capacity_class=SPOT))
    decided(state, NOW)
    assert state.jobs["spot"].shares[0].node == "n1"
    now = begins_ms - 30 * MINUTE_MS
    state.add(an_active("slow", 2, shapes=ALL, limit_ms=10 * HOUR_MS, grace_ms=40 * MINUTE_MS, capacity_class=SPOT))
    assert starts(decided(state, now)) == ["slow"]
    told_ms = state.next_instant()
    assert told_ms <= begins_ms - MINUTE_MS
    assert [stop.job for stop in decide(state, max(now, told_ms)).stops] == ["spot"]


@pytest.mark.parametrize("is_running", [True, False])
def test_spot_that_has_just_begun_gives_way_once_it_has_run_long_enough(is_running):
    """Who waited for it was promised a start at spot's limit, and spot was not asked again."""
    state = a_state(a_fleet(a_node("n1")))
    state.add(an_active("spot", 1, shapes=ALL, limit_ms=10 * HOUR_MS, capacity_class=SPOT))
    plan = decide(state, NOW)
    (start,) = plan.starts
    state.start(state.jobs["spot"], "a", start.shape, start.shares, NOW)
    if is_running:
        state.run(state.jobs["spot"], NOW, NOW)
    state.settle(plan, NOW)
    state.add(an_active("waits", 2, shapes=ALL))
    plan = decided(state, NOW + 1)
    assert plan.stops == ()
    assert [given.from_ms for given in plan.given] == [NOW + 10 * HOUR_MS]
    if not is_running:
        state.run(state.jobs["spot"], NOW + 2, NOW + 2)
    decided(state, NOW + 2)
    now = NOW + 2
    while not plan.stops:
        now = state.next_instant()
        assert now <= NOW + 2 + MINIMUM_RUN_MS
        plan = decided(state, now)
    assert [stop.job for stop in plan.stops] == ["spot"]


drawn_job = st.tuples(
    st.integers(0, 25),  # minutes since the one before
    st.sampled_from([SPOT, SPOT, CapacityClass.ON_DEMAND]),
    st.integers(1, 2),
    st.sampled_from([(1, 1, 1000), (2, 0, 1000), (8, 0, 1000), (1, 1, 500), (1, 2, 1000), (1, 4, 1000)]),
    st.integers(1, 90),  # its limit
    st.integers(1, 90),  # when it ends by itself
    st.integers(1, 12),  # its grace
)
drawn_booking = st.tuples(st.integers(0, 200), st.integers(10, 90), st.sets(st.integers(0, 2), min_size=1))


def a_drawn_job(seq, drawn):
    _, capacity_class, nodes, (cores, gpus, gpu_milli), limit, _, grace = drawn
    shape = NodeShape(cpu_milli=cores * 1000, memory_mib=0, gpus=gpus, gpu_milli=gpu_milli)
    if capacity_class is not SPOT:
        grace = 0
    return an_active(
        f"j{seq}", seq, nodes=nodes, shapes=(shape,), limit_ms=limit * MINUTE_MS, grace_ms=grace * MINUTE_MS, capacity_class=capacity_class
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(drawn_booking, max_size=5), st.lists(drawn_job, max_size=14))
def test_random_days_with_spot_keep_every_promise_and_free_every_booking(bookings, jobs):
    """Nodes of a booking hold nothing but its owner's work in its first millisecond; no promise is broken by late releases."""
    names = ("n0", "n1", "n2")
    state = a_state(a_fleet(*(a_node(name, cores=8, gpus=4) for name in names)))
    state.set_policy(replace(DEFAULT, promised_nodes=1, promises_max=3))
    ends_ms, runs = {}, {}
    now = arrives_ms = NOW
    for number, (start, length, nodes) in enumerate(bookings):
        chosen = tuple(names[node] for node in sorted(nodes))
        begin = NOW + start * MINUTE_MS
        if state.calendar.is_free(chosen, begin, begin + length * MINUTE_MS):
            book(state, f"b{number}", begin, begin + length * MINUTE_MS, *chosen)
            ends_ms[f"b{number}"] = begin + length * MINUTE_MS
    arrivals, to_begin = [], list(ends_ms)
    for seq, drawn in enumerate(jobs):
        arrives_ms += drawn[0] * MINUTE_MS
        arrivals.append((arrives_ms, seq, drawn))
    for _ in range(2000):
        ends = [_ends(job, runs) for job in state.holding.values()]
        due = [state.next_instant(), arrivals[0][0] if arrivals else None, *ends_ms.values(), *ends]
        due = [one for one in due if one is not None]
        if not due:
            break
        now = max(now, min(due))
        for job in [job for job in state.holding.values() if _ends(job, runs) <= now]:
            state.release(job, after=JobState.ENDED)
        for name in [name for name, end in ends_ms.items() if end <= now]:
            del ends_ms[name]
            state.calendar.remove(EntryKind.BOOKING, name)
        for name in [name for name in to_begin if state.calendar.get(EntryKind.BOOKING, name).from_ms <= now]:
            to_begin.remove(name)  # from now on its idle nodes carry spot
            booked = state.calendar.get(EntryKind.BOOKING, name).nodes
            assert all(state.fleet.nodes[node].is_idle for node in booked), "a booking begins on idle nodes"
        while arrivals and arrivals[0][0] <= now:
            _, seq, drawn = arrivals.pop(0)
            runs[f"j{seq}"] = drawn[5] * MINUTE_MS
            state.add(a_drawn_job(seq, drawn))
        is_whole = False
        while not is_whole:
            plan = decided(state, now)
            assert not [one for one in plan.broken if one.cause is BreakCause.LATE_RELEASE]
            _stop(state, plan, now)
            is_whole = plan.is_whole
        state.unsettle()
        again = decided(state, now)
        assert (again.starts, again.broken) == ((), ()), "what a cycle leaves, one that looks at everything leaves too"
        _stop(state, again, now)
    else:
        raise AssertionError("it comes to an end")


def _stop(state, plan, now):
    for stop in plan.stops:
        job = state.jobs[stop.job]
        state.stop(job, stop.cause, job.grace_ms, now, NOTICE_MS)


def _ends(job, runs):
    """When an attempt ends: by itself, at its limit, or once its notice and its whole grace are over."""
    own_ms = job.planned_ms + min(runs[job.job], job.limit_ms)
    return own_ms if job.stop_ms is None else min(own_ms, job.stop_ms + job.stop_notice_ms + job.stop_grace_ms)


def test_who_fits_beside_a_promised_job_that_starts_is_looked_at_again_at_once():
    """Its promise spoke for all of a node of which it takes a part: whoever stands before it was found too long."""
    state = a_state(a_fleet(a_node("n1", cores=8, gpus=4)))
    state.set_policy(replace(DEFAULT, promised_nodes=1))
    state.add(an_active("runs", 1, shapes=(a_shape(1, gpus=4),), limit_ms=HOUR_MS))
    decided(state, NOW)
    state.add(an_active("promised", 2, shapes=(a_shape(1, gpus=4),), limit_ms=3 * HOUR_MS))
    (promise,) = decided(state, NOW).given
    assert (promise.from_ms, promise.nodes, promise.is_shared) == (NOW + HOUR_MS, ("n1",), False)
    now = NOW + 59 * MINUTE_MS
    state.release(state.jobs["runs"], after=JobState.ENDED)
    state.add(an_active("brief", 3, shapes=(a_shape(2),), limit_ms=2 * MINUTE_MS))
    plan = decided(state, now)
    assert (starts(plan), plan.is_whole) == (["promised"], False)
    assert starts(decided(state, now)) == ["brief"]
