"""The earliest start of a gang: against trying every instant, around the calendar, and never taken from it."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling import backfill
from eisbach.core.scheduling.backfill import OVERDUE_MS, Gang, earliest
from tests.core.fleets import a_fleet, a_node, a_shape, fleets, free_of, shapes

NOW = 1000


def occupied(fleet, wanted):
    """Fill a fleet with what fits of (shape, count, end) and return its releases by their instants."""
    releases = []
    for shape, count, end in wanted:
        placed = fleet.place(shape, count)
        if placed is not None:
            fleet.take(placed)
            releases.append((end, placed))
    return sorted(releases, key=lambda one: one[0])


def find(fleet, shape, count, releases=(), length=10, calendar=None, within=None):
    gang = Gang((shape,), count, length, within=within)
    return earliest(fleet, (calendar or Calendar(fleet)).without(), list(releases), gang, NOW)


def booked(fleet, *entries):
    calendar = Calendar(fleet)
    for number, (start, end, nodes) in enumerate(entries):
        calendar.add(Entry(EntryKind.BOOKING, f"b{number}", start, end, tuple(nodes)))
    return calendar


running = st.lists(st.tuples(shapes, st.integers(1, 3), st.integers(1001, 1010)), max_size=6)


@given(fleets, running, shapes, st.integers(1, 3))
def test_it_is_the_first_instant_at_which_the_gang_fits(fleet, wanted, shape, count):
    releases = occupied(fleet, wanted)
    before = free_of(fleet)
    slot = find(fleet, shape, count, releases)
    assert free_of(fleet) == before, "the fleet is left as it was"
    assert (slot.at_ms if slot else None) == first_fit_by_trying(fleet, shape, count, releases)


def first_fit_by_trying(fleet, shape, count, releases):
    """The same by brute force: at each instant give back all that has ended, and look."""
    for at_ms in [NOW, *sorted({end for end, _ in releases})]:
        over = [shares for end, shares in releases if end <= at_ms]
        for shares in over:
            fleet.give_back(shares)
        fits = fleet.place(shape, count) is not None
        for shares in over:
            fleet.take(shares)
        if fits:
            return at_ms
    return None


entries = st.lists(st.tuples(st.integers(990, 1030), st.integers(1, 20), st.sets(st.integers(0, 3), min_size=1)), max_size=4)


@given(fleets, running, entries, shapes, st.integers(1, 3), st.integers(1, 15))
def test_around_the_calendar_it_is_the_first_instant_too(fleet, wanted, drawn, shape, count, length):
    releases = occupied(fleet, wanted)
    calendar = Calendar(fleet)
    names = list(fleet.nodes)
    for number, (start, span, nodes) in enumerate(drawn):
        chosen = tuple(names[node] for node in sorted(nodes) if node < len(names))
        if chosen and calendar.is_free(chosen, start, start + span):
            calendar.add(Entry(EntryKind.BOOKING, f"b{number}", start, start + span, chosen))
    slot = find(fleet, shape, count, releases, length, calendar)
    assert (slot.at_ms if slot else None) == first_free_by_trying(fleet, shape, count, releases, length, calendar)
    if slot is not None:
        assert calendar.is_free(slot.nodes, slot.at_ms, slot.at_ms + length)


gangs = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1001, 1003, 1003, 1008])), max_size=5)
spans = st.lists(st.tuples(st.integers(995, 1015), st.integers(1, 9), st.integers(0, 11), st.integers(1, 8)), max_size=5)


@given(gangs, spans, st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_nodes_that_are_released_together_are_as_those_released_one_by_one(held, drawn, count, length, is_drained):
    fleet = a_fleet(*(a_node(f"n{number:02d}", cores=2, rack=f"r{number // 4}", drained=is_drained and number == 5) for number in range(12)))
    releases = occupied(fleet, [(a_shape(2, memory_mib=8192), size, end) for size, end in held])
    calendar, names = Calendar(fleet), list(fleet.nodes)
    for number, (start, span, first, size) in enumerate(drawn):
        chosen = tuple(names[first : first + size])
        if calendar.is_free(chosen, start, start + span):
            calendar.add(Entry(EntryKind.BOOKING, f"b{number}", start, start + span, chosen))
    with patch.object(backfill, "_MANY", 1000):
        expected = find(fleet, a_shape(2), count, releases, length, calendar)
    with patch.object(backfill, "_MANY", 2):
        assert find(fleet, a_shape(2), count, releases, length, calendar) == expected


def first_free_by_trying(fleet, shape, count, releases, length, calendar):
    for at_ms in range(NOW, 1060):
        over = [shares for end, shares in releases if end <= at_ms]
        for shares in over:
            fleet.give_back(shares)
        free = [name for name in fleet.nodes if calendar.is_free([name], at_ms, at_ms + length)]
        fits = fleet.place(shape, count, among=free) is not None
        for shares in over:
            fleet.take(shares)
        if fits:
            return at_ms
    return None


def test_it_takes_what_is_released_last_and_leaves_what_is_free():
    fleet = a_fleet(*(a_node(f"n{number}", cores=1) for number in range(4)))
    releases = occupied(fleet, [(a_shape(1), 1, 1010), (a_shape(1), 1, 1020)])
    slot = find(fleet, a_shape(1), 3, releases)
    assert (slot.at_ms, set(slot.nodes), slot.is_shared) == (1010, {"n0", "n2", "n3"}, False)
    assert slot.nodes[0] == "n0"


def test_a_part_of_a_node_is_shared():
    slot = find(a_fleet(a_node("n1", cores=4)), a_shape(3), 1)
    assert (slot.at_ms, slot.nodes, slot.is_shared) == (NOW, ("n1",), True)


def test_a_gang_that_no_release_makes_room_for_has_no_start():
    fleet = a_fleet(a_node("n1", cores=2), a_node("n2", cores=2, drained=True))
    releases = occupied(fleet, [(a_shape(1), 2, 1500)])
    assert find(fleet, a_shape(2), 2, releases) is None


def test_overdue_work_is_expected_to_end_soon():
    fleet = a_fleet(a_node("n1", cores=2))
    releases = occupied(fleet, [(a_shape(2), 1, 10)])
    assert find(fleet, a_shape(1), 1, releases).at_ms == NOW + OVERDUE_MS


def test_a_gang_fits_between_two_bookings_and_not_across_one():
    fleet = a_fleet(a_node("n1", cores=1))
    calendar = booked(fleet, (1005, 1010, ["n1"]), (1020, 1030, ["n1"]))
    starts = [find(fleet, a_shape(1), 1, length=length, calendar=calendar).at_ms for length in (5, 6, 10, 11)]
    assert starts == [NOW, 1010, 1010, 1030]


def test_a_gang_that_must_be_in_one_rack_waits_for_a_rack():
    fleet = a_fleet(*(a_node(f"n{number}", cores=1, rack=f"r{number // 2}") for number in range(4)))
    releases = occupied(fleet, [(a_shape(1), 1, 1010)])
    fleet.take(fleet.place(a_shape(1), 1, among=["n2"]))
    assert find(fleet, a_shape(1), 2, releases).at_ms == NOW
    slot = find(fleet, a_shape(1), 2, releases, within=Within(Level.RACK, is_required=True))
    assert (slot.at_ms, set(slot.nodes)) == (1010, {"n0", "n1"})


def test_a_gang_that_wishes_to_be_in_one_rack_gets_the_one_that_holds_it_if_it_costs_no_time():
    fleet = a_fleet(*(a_node(f"n{number}", cores=1, rack=f"r{number // 2}") for number in range(5)))
    fleet.take(fleet.place(a_shape(1), 1, among=["n0"]))
    slot = find(fleet, a_shape(1), 2, within=Within(Level.RACK))
    assert set(slot.nodes) == {"n2", "n3"}
