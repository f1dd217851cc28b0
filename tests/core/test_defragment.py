"""Defragmentation: a gang finds its nodes together, everybody who moved for it has room again, and the fleet is as it was."""

from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.topology import Level, Within
from eisbach.core.jobs.request import NodeShape
from eisbach.core.scheduling.defragment import Movable, find_moves, gain_gpu_milli_ms
from eisbach.core.scheduling.preempt import Ask
from tests.core.test_preempt import WHOLE_NODE, a_fleet, running

IN_A_RACK = Within(Level.RACK, is_required=True)
HALF = NodeShape(cpu_milli=48_000, memory_mib=400_000, gpus=4, flavour="b200")


def what_is_free(fleet: Fleet) -> list[tuple[object, ...]]:
    return [(one.node, one.free_cpu_milli, one.free_memory_mib, tuple(one.free_gpus)) for one in fleet.nodes.values()]


def test_spot_moves_to_other_racks():
    """Two racks of four nodes, each with one node of spot in its midst, and a third with room for both."""
    fleet = a_fleet(12)
    movable = [Movable(running(fleet, f"j{at}", {at: 8}, lost=at), Ask(WHOLE_NODE, 1)) for at in (1, 5, 9)]
    before = what_is_free(fleet)
    moves = find_moves(fleet, Ask(WHOLE_NODE, 4, within=IN_A_RACK), movable, moves_max=8)
    assert moves is not None
    assert (moves.jobs, moves.lost) == (("j1",), 1)
    assert len({fleet.nodes[share.node].rack for share in moves.gang}) == 1
    assert what_is_free(fleet) == before


def test_nobody_moves_who_would_have_no_room_again():
    fleet = a_fleet(4)
    movable = [Movable(running(fleet, "j1", {1: 8}, lost=0), Ask(WHOLE_NODE, 1))]
    assert find_moves(fleet, Ask(WHOLE_NODE, 4, within=IN_A_RACK), movable, moves_max=8) is None


def test_who_has_no_room_again_stays_and_another_moves():
    """The cheapest to move asks for a whole rack itself; moving the other one does as well."""
    fleet = a_fleet(8)
    wide = Movable(running(fleet, "wide", {0: 8, 1: 8}, lost=0), Ask(WHOLE_NODE, 5, within=IN_A_RACK))
    narrow = Movable(running(fleet, "narrow", {4: 8}, lost=5), Ask(WHOLE_NODE, 1))
    moves = find_moves(fleet, Ask(WHOLE_NODE, 4, within=IN_A_RACK), [wide, narrow], moves_max=8)
    assert moves is not None
    assert moves.jobs == ("narrow",)


def test_a_gang_that_fits_moves_nobody():
    fleet = a_fleet(8)
    movable = [Movable(running(fleet, "j1", {1: 8}, lost=0), Ask(WHOLE_NODE, 1))]
    assert find_moves(fleet, Ask(WHOLE_NODE, 4, within=IN_A_RACK), movable, moves_max=8) is None


def test_no_more_move_than_are_allowed_and_none_that_has_just_begun():
    fleet = a_fleet(12)
    movable = [Movable(running(fleet, f"j{at}", {at: 4}, lost=1), Ask(HALF, 1)) for at in (0, 1, 4, 5, 8, 9)]
    gang = Ask(WHOLE_NODE, 4, within=IN_A_RACK)
    assert find_moves(fleet, gang, movable, moves_max=1) is None
    assert find_moves(fleet, gang, movable, moves_max=2) is not None
    fresh = [one._replace(running=one.running._replace(is_fresh=True)) for one in movable]
    assert find_moves(fleet, gang, fresh, moves_max=8) is None


def test_the_gain_is_gpu_time_less_what_is_lost():
    gang = Ask(WHOLE_NODE, 4)
    assert gain_gpu_milli_ms(gang, earlier_ms=7_200_000, lost=1000) == 32_000 * 7_200_000 - 1000
    assert gain_gpu_milli_ms(gang, earlier_ms=0, lost=1000) < 0


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from([4, 8]), st.integers(0, 9)), max_size=10), st.integers(2, 4))
def test_plans_can_be_carried_out(asked, count):
    """The gang and all who move have their shares at once, beside everybody who stays; and planning changes nothing."""
    fleet, movable = a_fleet(12), []
    for number, (at, gpus, lost) in enumerate(asked):
        if len(fleet.nodes[f"n{at}"].free_gpus) >= gpus:
            shape = WHOLE_NODE if gpus == 8 else HALF
            movable.append(Movable(running(fleet, f"j{number}", {at: gpus}, lost), Ask(shape, 1)))
    before = what_is_free(fleet)
    moves = find_moves(fleet, Ask(WHOLE_NODE, count, within=IN_A_RACK), movable, moves_max=3)
    assert what_is_free(fleet) == before
    if moves is None:
        return
    assert 0 < len(moves.jobs) == len(moves.to) <= 3
    for one in movable:
        if one.running.job in moves.jobs:
            fleet.give_back(one.running.shares)
    for shares in (moves.gang, *moves.to):
        fleet.take(shares)
