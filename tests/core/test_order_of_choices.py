"""What is chosen does not depend on the order in which things came to be as they are: a restart forgets that order."""

from itertools import permutations

from eisbach.core.admission.guard import Guards
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.scheduling.backfill import Gang, earliest
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active

NOW = 1000


def test_nodes_of_a_promise_do_not_depend_on_the_order_in_which_nodes_came_to_be_dated():
    found = set()
    for order in permutations(range(3)):
        fleet = a_fleet(*(a_node(f"n{number}", cores=1, rack=f"r{number}") for number in range(4)))
        calendar, busy = Calendar(fleet), fleet.place(a_shape(), 1)
        fleet.take(busy)
        for number in order:
            calendar.add(Entry(EntryKind.BOOKING, f"b{number}", NOW + 100 + number, NOW + 200, (f"n{number}",)))
        slot = earliest(fleet, calendar.without(()), [(NOW + 5, busy)], Gang((a_shape(),), 4, 10), NOW)
        found.add(slot.nodes)
    assert len(found) == 1


def test_nor_do_nodes_for_spot_inside_bookings():
    found = set()
    for order in permutations(("b1", "b2", "b3")):
        fleet = a_fleet(*(a_node(f"n{number}") for number in range(4)))
        calendar = Calendar(fleet)
        for name in order:
            calendar.add(Entry(EntryKind.BOOKING, name, NOW, NOW + 100, (f"n{name[1]}",)))
        found.add(tuple(calendar.booked_now(NOW, NOW + 50)))
    assert len(found) == 1


def test_nor_which_promise_guards_its_part_of_a_node_first():
    found = set()
    for order in permutations(("a", "b")):
        state = a_state(a_fleet(a_node("n0", cores=2), a_node("n1", cores=2)))
        for seq, name in enumerate(("a", "b")):
            state.add(an_active(name, seq, shapes=(a_shape(cores=1),)))
        for name in order:
            node = "n0" if name == "a" else "n1"
            state.calendar.add(Entry(EntryKind.PROMISE, name, NOW + 10, NOW + 20, (node,), is_shared=True))
        both = state.fleet.place(a_shape(cores=2), 2)
        found.add(tuple(Guards(state, NOW, []).too_full(both, NOW + 15)))
    assert len(found) == 1
