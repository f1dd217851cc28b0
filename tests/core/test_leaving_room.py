"""Large gangs leave small work as much again as it holds, up to a fifth of the pool."""

from dataclasses import replace

import pytest

from eisbach.core.admission.cycle import decide
from eisbach.core.admission.leaving_room import BRIEF_MS, PATIENCE_MS, is_crowding
from eisbach.core.admission.placing import Placing
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import DEFAULT, EASY
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active
from tests.core.weeks import carry_out

NOW = 1_000_000
POLICY = replace(DEFAULT, promised_nodes=4)
GPU = (a_shape(gpus=1),)
NODES = 20


def step(state, now=NOW):
    plan = decide(state, now)
    carry_out(state, plan, now)
    return [start.job for start in plan.starts]


def a_job(name, seq, nodes, **more):
    return an_active(name, seq, **{"nodes": nodes, "shapes": GPU, "limit_ms": 5 * HOUR_MS, "submitted_ms": NOW, **more})


def with_small_work(count, policy=POLICY, **more):
    """Twenty nodes with a GPU each, and so many jobs of one."""
    state = a_state(a_fleet(*(a_node(f"n{number:02d}", cores=1, gpus=1) for number in range(NODES))))
    state.set_policy(policy)
    for number in range(count):
        state.add(a_job(f"small{number}", number, 1, **more))
    assert len(step(state)) == count
    return state


@pytest.mark.parametrize(("small", "most"), [(0, 20), (1, 18), (2, 16), (3, 16), (4, 16), (6, 14)])
def test_a_gang_leaves_as_much_again_as_small_work_holds_up_to_a_fifth(small, most):
    if most < NODES - small:
        state = with_small_work(small)
        state.add(a_job("gang", 90, most + 1))
        assert step(state) == []
    state = with_small_work(small)
    state.add(a_job("gang", 90, most))
    assert step(state) == ["gang"]


def test_it_starts_when_small_work_has_let_go():
    state = with_small_work(2)
    state.add(a_job("gang", 90, 18))
    assert step(state) == []
    state.add(a_job("next", 91, 1))
    assert step(state) == ["next"], "small work takes what is left to it"
    for name in ("small0", "small1", "next"):
        state.release(state.jobs[name], after=JobState.ENDED)
    assert step(state) == ["gang"]


def test_who_is_small_or_brief_or_was_thrown_back_is_not_held_back():
    for one in (
        {"limit_ms": BRIEF_MS},
        {"preemptions": 1},
        {"capacity_class": CapacityClass.SPOT},
        {"shapes": (a_shape(),)},
    ):
        state = with_small_work(1)
        state.add(a_job("gang", 90, 19, **one))
        assert step(state) == ["gang"], one
    state = with_small_work(1)
    for number in range(19):
        state.add(a_job(f"more{number}", 10 + number, 1))
    assert len(step(state)) == 19


def test_after_a_day_it_is_one_among_all_and_starts_by_itself():
    state = with_small_work(1, limit_ms=48 * HOUR_MS)
    state.add(a_job("gang", 90, 19))
    assert step(state) == []
    assert state.next_instant() == NOW + PATIENCE_MS
    assert step(state, NOW + PATIENCE_MS - 1) == []
    assert step(state, NOW + PATIENCE_MS) == ["gang"]


def test_one_that_asks_the_same_and_need_not_wait_passes():
    state = with_small_work(1)
    state.add(a_job("gang", 90, 19))
    state.add(a_job("brief", 91, 19, limit_ms=BRIEF_MS))
    assert step(state) == ["brief"]


def test_a_promised_gang_leaves_room_until_its_promise_is_due():
    state = with_small_work(1, limit_ms=9 * HOUR_MS)
    state.add(a_job("other", 80, 3, limit_ms=2 * HOUR_MS))
    assert step(state) == ["other"]
    state.add(a_job("gang", 90, 19))
    assert step(state) == []
    assert state.calendar.promises["gang"].from_ms == NOW + 2 * HOUR_MS
    state.release(state.jobs["other"], after=JobState.ENDED)
    assert step(state, NOW + HOUR_MS) == [], "it fits, and would leave nothing"
    assert step(state, NOW + 2 * HOUR_MS) == ["gang"]


def test_spot_counts_as_room_and_work_in_bookings_is_not_counted():
    state = with_small_work(1)
    state.add(a_job("spot", 80, 1, capacity_class=CapacityClass.SPOT))
    step(state)
    state.add(a_job("gang", 90, 18))
    assert step(state) == ["gang"], "spot leaves when small work comes"
    state = with_small_work(0)
    state.calendar.add(Entry(EntryKind.BOOKING, "b1", NOW, NOW + 9 * HOUR_MS, ("n00",)))
    state.add(a_job("inside", 80, 1, booking="b1", capacity_class=CapacityClass.RESERVED))
    assert step(state) == ["inside"]
    state.add(a_job("gang", 90, 19))
    assert step(state) == ["gang"]


def test_each_pool_has_its_own_small_work():
    state = with_small_work(2)
    for number in range(10):
        state.fleet.add(replace(a_node(f"m{number}", cores=1, gpus=1, flavour="b200.1"), pool="q"))
    state.note_nodes()
    state.add(a_job("here", 90, 18, shapes=(a_shape(gpus=1, flavour="h200.1"),)))
    state.add(a_job("there", 91, 10, shapes=(a_shape(gpus=1, flavour="b200.1"),)))
    assert step(state) == ["there"]
    assert is_crowding(Placing(state, NOW), state.jobs["here"])


def test_policies_without_promised_gangs_hold_nobody_back():
    state = with_small_work(1, policy=EASY)
    state.add(a_job("gang", 90, 19))
    assert step(state) == ["gang"]
