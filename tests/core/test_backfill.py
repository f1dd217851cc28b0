"""The start kept for a blocked head: against trying every instant, and never taken from it."""

from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.fleet import Share
from eisbach.core.scheduling.backfill import Shadow, find_shadow
from tests.core.fleets import a_fleet, a_node, a_shape, fleets, free_of, shapes

NOW = 1000


def occupied(fleet, wanted):
    """Fill a fleet with what fits of (shape, count, end) and return its releases."""
    releases = []
    for shape, count, end in wanted:
        placed = fleet.place(shape, count)
        if placed is not None:
            fleet.take(placed)
            releases.append((end, placed))
    return releases


running = st.lists(st.tuples(shapes, st.integers(1, 3), st.integers(900, 1010)), max_size=6)


@given(fleets, running, shapes, st.integers(1, 3))
def test_the_shadow_is_the_first_instant_at_which_the_gang_fits(fleet, wanted, shape, count):
    releases = occupied(fleet, wanted)
    if fleet.place(shape, count) is not None:
        return  # the head of the queue is one that does not fit
    before = free_of(fleet)
    shadow = find_shadow(fleet, (shape,), count, releases, NOW)
    assert free_of(fleet) == before, "the fleet is left as it was"
    assert shadow == find_shadow(fleet, (shape,), count, list(reversed(releases)), NOW), "in any order"
    assert (shadow.at_ms if shadow else None) == first_fit_by_trying(fleet, shape, count, releases)


def first_fit_by_trying(fleet, shape, count, releases):
    """The same by brute force: at each instant give back all that has ended, and look."""
    for at_ms in sorted({end for end, _ in releases}):
        over = [shares for end, shares in releases if end <= at_ms]
        for shares in over:
            fleet.give_back(shares)
        fits = fleet.place(shape, count) is not None
        for shares in over:
            fleet.take(shares)
        if fits:
            return max(at_ms, NOW)
    return None


@given(fleets, running, shapes, st.integers(1, 3), st.lists(st.tuples(shapes, st.integers(1, 2), st.integers(1, 30)), max_size=5))
def test_what_the_shadow_admits_leaves_room_for_the_head(fleet, wanted, shape, count, behind):
    """EASY's promise: with everything over by its limit, the head fits at the instant kept for it."""
    releases = occupied(fleet, wanted)
    if fleet.place(shape, count) is not None:
        return
    shadow = find_shadow(fleet, (shape,), count, releases, NOW)
    if shadow is None:
        return
    for other, nodes, length in behind:
        placed = fleet.place(other, nodes)
        if placed is not None and shadow.admits(placed, NOW + length):
            fleet.take(placed)
            releases.append((NOW + length, placed))
    for end, shares in releases:
        if end <= shadow.at_ms:
            fleet.give_back(shares)
    fleet.take(shadow.shares)  # raises where it is not free
    assert fleet is not None


def test_what_ends_before_the_shadow_may_use_everything():
    shadow = Shadow(2000, (), {"n1": (0, 0, 0)})
    assert shadow.admits([Share(0, "n1", 8000, 100, ())], 2000)
    assert not shadow.admits([Share(0, "n1", 1, 0, ())], 2001)


def test_what_is_left_beside_the_head_is_given_out_once():
    shadow = Shadow(2000, (), {"n1": (1000, 0, 1)})
    share = Share(0, "n1", 1000, 0, (0,))
    assert shadow.admits([share], 9999)
    assert not shadow.admits([share], 9999)
    assert shadow.admits([Share(0, "elsewhere", 1000, 0, ())], 9999)


def test_a_gang_that_no_release_makes_room_for_has_no_shadow():
    fleet = a_fleet(a_node("n1", cores=2), a_node("n2", cores=2, drained=True))
    releases = occupied(fleet, [(a_shape(1), 2, 1500)])
    assert find_shadow(fleet, (a_shape(2),), 2, releases, NOW) is None


def test_overdue_work_is_expected_to_end_now():
    fleet = a_fleet(a_node("n1", cores=2))
    releases = occupied(fleet, [(a_shape(2), 1, 10)])
    assert find_shadow(fleet, (a_shape(1),), 1, releases, NOW).at_ms == NOW
