"""Placing, taking and giving back: whole gangs, no share and no GPU twice, always the same answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.fleet import Share
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.jobs.request import NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.invariant import BrokenInvariant
from tests.core.fleets import a_fleet, a_node, a_shape, fleets, free_of, shapes

counts = st.integers(1, 5)


def test_a_gang_fills_nodes_in_their_order():
    placed = a_fleet(a_node("n1", cores=2), a_node("n2", cores=2)).place(a_shape(cores=1), 3)
    assert placed is not None
    assert [(share.rank, share.node) for share in placed] == [(0, "n1"), (1, "n1"), (2, "n2")]


def test_a_gang_goes_to_the_first_site_that_holds_it_whole():
    fleet = a_fleet(a_node("n1", cores=2, site="here"), a_node("n2", cores=2, site="there"), a_node("n3", cores=2, site="here"))
    placed = fleet.place(a_shape(cores=1), 3)
    assert placed is not None
    assert [share.node for share in placed] == ["n1", "n1", "n3"]
    assert fleet.place(a_shape(cores=1), 5) is None
    assert not fleet.could_ever(a_shape(cores=1), 5), "six cores at two sites are no gang of five"


def test_a_gang_of_nodes_of_two_kinds_stays_in_one_rack_where_that_is_required():
    """Each kind stands alone in its pool, and one of them has a rack of its own besides: names bring them together."""
    racks = [a_node("n1", cores=4, rack="rack-1"), a_node("n2", cores=2, rack="rack-1"), a_node("n3", cores=2, rack="rack-2")]
    for nodes in (racks[:2], racks):
        placed = a_fleet(*nodes).place(a_shape(cores=2), 3, within=Within(Level.RACK, True))
        assert placed is not None
        assert {share.node for share in placed} == {"n1", "n2"}


def test_tasks_on_one_node_get_different_gpus():
    placed = a_fleet(a_node("n1", gpus=4)).place(a_shape(gpus=2), 2)
    assert placed is not None
    assert [share.gpus for share in placed] == [(0, 1), (2, 3)]


@pytest.mark.parametrize("state", ["drained", "removed"])
def test_nothing_is_placed_on_a_node_out_of_use(state):
    fleet = a_fleet(a_node("n1", **{state: True}))
    assert fleet.place(a_shape(), 1) is None
    assert fleet.could_ever(a_shape(), 1) is (state == "drained")
    assert not fleet.could_without_drained(a_shape(), 1)


@given(fleets, st.lists(st.tuples(shapes, counts), max_size=6))
def test_what_is_taken_is_given_back_exactly(fleet, wanted):
    empty, taken = free_of(fleet), []
    for shape, count in wanted:
        before = free_of(fleet)
        placed = fleet.place(shape, count)
        assert free_of(fleet) == before, "placing takes nothing"
        assert fleet.place(shape, count) == placed, "the same question has the same answer"
        if placed is None:
            continue
        assert [share.rank for share in placed] == list(range(count)), "a gang is placed whole"
        assert len({fleet.nodes[share.node].site for share in placed}) == 1, "a gang never spans sites"
        assert all(len(share.gpus) == shape.gpus for share in placed)
        assert all(not fleet.nodes[share.node].drained for share in placed)
        assert all(shape.flavour is None or is_flavour(fleet.nodes[share.node].flavour, shape.flavour) for share in placed)
        fleet.take(placed)
        taken.append(placed)
        held = [(share.node, gpu) for shares in taken for share in shares for gpu in share.gpus]
        assert len(held) == len(set(held)), "no GPU is held twice"
    for shares in taken:
        fleet.give_back(shares)
    assert free_of(fleet) == empty
    assert all(node.is_idle for node in fleet.nodes.values())


@given(fleets, shapes, counts)
def test_an_idle_fleet_places_exactly_what_it_could_ever_place_undrained(fleet, shape, count):
    assert (fleet.place(shape, count) is not None) == fleet.could_without_drained(shape, count)
    for name in fleet.nodes:
        fleet.set_available(name, True)
    assert (fleet.place(shape, count) is not None) == fleet.could_ever(shape, count)


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (Share(0, "n1", 3000, 0, ()), "held twice: n1 has too little left"),
        (Share(0, "n1", 0, 9000, ()), "held twice: n1 has too little left"),
        (Share(0, "n1", 0, 0, (7,)), "no GPU is held twice"),
    ],
)
def test_what_is_not_free_cannot_be_taken(share, says):
    with pytest.raises(BrokenInvariant, match=says):
        a_fleet(a_node("n1", cores=2, gpus=1)).take([share])


def test_a_gpu_is_taken_once():
    fleet = a_fleet(a_node("n1", gpus=1))
    share = Share(0, "n1", 0, 0, (0,))
    fleet.take([share])
    with pytest.raises(BrokenInvariant, match="no GPU is held twice"):
        fleet.take([share])


@pytest.mark.parametrize("share", [Share(0, "n1", 1, 0, ()), Share(0, "n1", 0, 1, ()), Share(0, "n1", 0, 0, (0,))])
def test_nothing_is_given_back_that_was_not_taken(share):
    with pytest.raises(BrokenInvariant, match="given back twice: n1"):
        a_fleet(a_node("n1", gpus=1)).give_back([share])


def test_a_node_is_declared_once():
    fleet = a_fleet(a_node("n1"))
    with pytest.raises(BrokenInvariant, match="n1 is declared once"):
        fleet.add(a_node("n1"))


@pytest.mark.parametrize(
    ("flavour", "wanted", "is_one"),
    [("h200.8", "h200", True), ("h200.8", "H200.8", True), ("h200.8", "h200.1", False), ("h200.8", "h20", False), ("cpu", "cpu", True)],
)
def test_a_flavour_answers_to_its_name_and_its_accelerators(flavour, wanted, is_one):
    assert is_flavour(flavour, wanted) is is_one


def a_slice(profile):
    return NodeShape(cpu_milli=1, memory_mib=0, gpus=1, flavour="b200", gpu_milli=142, mig=profile)


def test_slices_of_a_gpu_begin_where_nvidia_lets_them_and_the_large_ones_keep_their_place():
    fleet = a_fleet(a_node("n1", gpus=1, flavour="b200.1"))
    taken = []
    for profile in ("1g.23gb", "3g.90gb", "2g.45gb"):
        placed = fleet.place(a_slice(profile), 1)
        assert placed is not None, profile
        fleet.take(placed)
        taken.append(placed)
    assert [shares[0].slot for shares in taken] == [6, 0, 4]
    assert fleet.nodes["n1"].held_gpu_milli == 875, "seven of eight memory slices"
    assert fleet.place(a_slice("1g.23gb"), 1) is None, "the eighth memory slice is no place for a small one"
    assert fleet.place(a_shape(gpus=1), 1) is None, "a GPU that is cut is not handed out whole"
    for shares in taken:
        fleet.give_back(shares)
    assert fleet.nodes["n1"].is_idle
    assert fleet.place(a_slice("7g.180gb"), 1) is not None
    assert not fleet.could_ever(a_slice("5g.1gb"), 1), "no GPU is cut like that"


@pytest.mark.parametrize(("profile", "slot"), [("4g.90gb", 4), ("3g.90gb", 2), ("5g.1gb", 0), ("1g.23gb", 7)])
def test_a_slice_is_taken_only_where_nvidia_lets_it_begin(profile, slot):
    """It was taken wherever its place was free; a profile that is none was taken as thousandths."""
    fleet = a_fleet(a_node("n1", gpus=1, flavour="b200.1"))
    with pytest.raises(BrokenInvariant, match=f"has no {profile} from slice {slot} on"):
        fleet.take((Share(0, "n1", 1, 0, (0,), "", 142, profile, slot),))
    assert fleet.nodes["n1"].is_idle


def test_a_slice_of_a_gpu_with_four_memory_slices_is_a_quarter_of_it():
    fleet = a_fleet(a_node("n1", gpus=2, flavour="rtxpro6000.2"))
    fleet.take(fleet.place(NodeShape(cpu_milli=1, memory_mib=0, gpus=1, flavour="rtxpro6000", gpu_milli=250, mig="1g.24gb"), 1) or ())
    assert fleet.nodes["n1"].held_gpu_milli == 250


def test_a_part_goes_where_a_part_is_taken_and_never_over_two_gpus():
    fleet = a_fleet(a_node("n1", gpus=2, flavour="b200.2"))
    part = NodeShape(cpu_milli=1, memory_mib=0, gpus=1, gpu_milli=600)
    first, second = fleet.place(part, 2) or ()
    assert (first.gpus, second.gpus, first.gpu_milli) == ((0,), (1,), 600)
    fleet.take((first, second))
    assert fleet.place(part, 1) is None, "400 thousandths here and 400 there are no 600"
    rest = fleet.place(NodeShape(cpu_milli=1, memory_mib=0, gpus=1, gpu_milli=400), 1)
    assert rest is not None
    with pytest.raises(BrokenInvariant, match="no GPU is held twice"):
        fleet.take((*rest, *rest))
