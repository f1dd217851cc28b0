"""Large gangs and the expected start of those that stand before them."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.admission.cycle import decide
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.yielding import Yielding
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from tests.core.fleets import a_fleet, a_node, a_state, an_active
from tests.core.weeks import carry_out

NOW = 1_000_000
POLICY = replace(DEFAULT, promised_nodes=4, runtime_weight_permille=0)


def step(state, now):
    plan = decide(state, now)
    carry_out(state, plan, now)
    return [start.job for start in plan.starts]


def a_large_gang_waits():
    """Six nodes: four run for a promised ten hours and are expected to be over in one; a gang of five waits for them."""
    state = a_state(a_fleet(*(a_node(f"n{number}", cores=1) for number in range(6))))
    state.set_policy(POLICY)
    state.add(an_active("runs", 1, nodes=4, limit_ms=10 * HOUR_MS, predicted_ms=HOUR_MS))
    step(state, NOW)
    state.add(an_active("large", 2, nodes=5, limit_ms=HOUR_MS))
    step(state, NOW)
    assert state.calendar.promises["large"].from_ms == NOW + 10 * HOUR_MS
    return state


def waits_for(state, job, now):
    return Yielding(Placing(state, now)).for_whom(state.jobs[job])


def test_a_gang_leaves_a_larger_one_before_it_its_expected_start():
    state = a_large_gang_waits()
    state.add(an_active("half", 3, nodes=2, limit_ms=5 * HOUR_MS))
    assert step(state, NOW + 1) == [], "it ends before the promise, and after the expected start"
    assert waits_for(state, "half", NOW + 1) == ("large", NOW + HOUR_MS)
    state.release(state.jobs["runs"], after=JobState.ENDED)
    assert step(state, NOW + 50 * MINUTE_MS) == ["large"]


def test_what_is_over_by_then_or_small_passes():
    state = a_large_gang_waits()
    state.add(an_active("brief", 3, nodes=2, limit_ms=50 * MINUTE_MS))
    assert step(state, NOW + 1) == ["brief"]
    state = a_large_gang_waits()
    state.add(an_active("small", 3, nodes=1, limit_ms=5 * HOUR_MS))
    state.add(an_active("spot", 4, nodes=1, limit_ms=5 * HOUR_MS, capacity_class=CapacityClass.SPOT))
    assert step(state, NOW + 1) == ["small", "spot"]


def test_one_that_asks_the_same_and_is_brief_passes_one_that_waits():
    """Who fits and waits for a large gang was taken for one that does not fit, and nobody who asks the same was looked at."""
    state = a_large_gang_waits()
    state.add(an_active("half", 3, nodes=2, limit_ms=5 * HOUR_MS))
    state.add(an_active("brief", 4, nodes=2, limit_ms=50 * MINUTE_MS))
    state.unsettle()
    assert step(state, NOW + 1) == ["brief"]


def test_a_promised_gang_is_met_where_one_before_it_that_asks_the_same_has_to_wait():
    """Its own promise is in the way of the other one alone: it was passed over with all that ask the same, and started when promised."""
    state = a_state(a_fleet(*(a_node(f"n{number}", cores=1) for number in range(4))))
    state.set_policy(replace(POLICY, promised_nodes=3, runtime_weight_permille=1000))
    for name, seq, nodes, hours, predicted, begins in (("own", 1, 4, 9, 2, 14), ("first", 2, 3, 16, 1, 23), ("same", 3, 4, 2, 1, 0)):
        state.add(an_active(name, seq, nodes=nodes, limit_ms=hours * HOUR_MS, predicted_ms=predicted * HOUR_MS))
        if begins:
            at_ms = NOW + begins * HOUR_MS
            state.calendar.add(Entry(EntryKind.PROMISE, name, at_ms, at_ms + hours * HOUR_MS, tuple(f"n{number}" for number in range(nodes))))
    assert waits_for(state, "same", NOW) == ("first", NOW)
    assert step(state, NOW) == ["own"]


def test_a_gang_that_needs_only_what_is_left_then_passes():
    state = a_large_gang_waits()
    for number in (6, 7):
        state.fleet.add(a_node(f"n{number}", cores=1))
    state.note_nodes()
    state.add(an_active("half", 3, nodes=2, limit_ms=5 * HOUR_MS))
    assert step(state, NOW + 1) == ["half"], "eight nodes hold both"


def test_when_a_prediction_is_outrun_its_limit_counts_and_the_gang_starts_by_itself():
    state = a_large_gang_waits()
    state.add(an_active("half", 3, nodes=2, limit_ms=5 * HOUR_MS))
    step(state, NOW + 1)
    assert state.next_instant() == NOW + HOUR_MS
    assert step(state, NOW + HOUR_MS - 1) == []
    assert step(state, NOW + HOUR_MS) == ["half"]
    assert state.calendar.promises["large"].from_ms == NOW + 10 * HOUR_MS


def test_a_booking_counts_in_the_expected_start_and_promises_do_not():
    state = a_large_gang_waits()
    state.calendar.add(Entry(EntryKind.BOOKING, "b1", NOW + 90 * MINUTE_MS, NOW + 8 * HOUR_MS, ("n4", "n5")))
    state.add(an_active("half", 3, nodes=2, limit_ms=80 * MINUTE_MS))
    assert step(state, NOW + 1) == ["half"], "the large one cannot start before the booking is over"


def test_policies_without_promised_gangs_let_everybody_pass():
    state = a_large_gang_waits()
    state.set_policy(replace(POLICY, promised_nodes=0))
    state.add(an_active("half", 3, nodes=2, limit_ms=5 * HOUR_MS))
    assert step(state, NOW + 1) == ["half"]


arrival = st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 30), st.integers(1, 100), st.integers(1, 100))


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 7), st.lists(arrival, max_size=30), st.lists(st.integers(0, 200), max_size=2))
def test_a_cycle_from_scratch_holds_back_and_starts_the_same(nodes, arrivals, booked):
    """Whoever has seen nothing yet starts nobody that the cycles before have left waiting."""
    state = a_state(a_fleet(*(a_node(f"n{number}", cores=1) for number in range(nodes))))
    state.set_policy(replace(POLICY, promised_nodes=3, runtime_weight_permille=1000))
    now, over = NOW, {}
    for seq, (gap, size, limit, predicted, ran) in enumerate([*arrivals, *[(30, 0, 0, 0, 0)] * 8]):
        for _ in range(gap + 1):
            now += 1
            for job in [one for one in state.holding.values() if min(one.releases_ms(), over[one.job] + one.planned_ms) <= now]:
                state.release(job, after=JobState.ENDED)
                state.note_freed(now)
            plan = decide(state, now)
            carry_out(state, plan, now)
            while not plan.is_whole:
                plan = decide(state, now)
                carry_out(state, plan, now)
            state.seen, kept = replace(state.seen, is_whole=False), state.seen
            assert decide(state, now).starts == ()
            state.seen = kept
        if size:
            name = f"j{seq:03d}"
            state.add(an_active(name, seq, nodes=size, limit_ms=limit, predicted_ms=max(1, limit * predicted // 100)))
            over[name] = max(1, limit * ran // 100)
        if seq in booked:
            state.calendar.add(Entry(EntryKind.MAINTENANCE, f"c{seq}", now + 9, now + 20, ("n0",)))
