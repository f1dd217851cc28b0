"""What a tenant asks for becomes what this fleet has, or a refusal that names what exists."""

from dataclasses import replace

import pytest

from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.resolve import flavours_of, resolve_shapes
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.core.fleets import a_fleet, a_node, a_shape

FLEET = a_fleet(
    a_node("n1", cores=8), a_node("n2", cores=8), a_node("g1", cores=16, gpus=8), a_node("g2", cores=16, gpus=4), a_node("old", gpus=2, removed=True)
)


@pytest.mark.parametrize(
    ("shapes", "nodes", "flavours"),
    [
        ([a_shape()], 1, [None]),
        ([a_shape(flavour="cpu")], 2, ["cpu"]),
        ([a_shape(gpus=1, flavour="h200")], 1, ["h200.4", "h200.8"]),
        ([a_shape(gpus=8, flavour="H200")], 1, ["h200.8"]),
        ([a_shape(gpus=1)], 1, ["h200.4", "h200.8"]),
        ([a_shape(gpus=1, flavour="h200.4"), a_shape(gpus=1, flavour="h200")], 1, ["h200.4", "h200.8"]),
        ([a_shape(gpus=1, flavour="b200"), a_shape(flavour="cpu")], 1, ["cpu"]),
    ],
)
def test_shapes_get_the_flavours_that_fit(shapes, nodes, flavours):
    resolved = resolve_shapes(FLEET, tuple(shapes), nodes)
    assert not isinstance(resolved, Refusal)
    assert [shape.flavour for shape in resolved] == flavours


@pytest.mark.parametrize(
    ("shape", "nodes", "reason", "where"),
    [
        (a_shape(gpus=1, flavour="b200"), 1, Reason.NO_SUCH_FLAVOUR, "resources.accelerators"),
        (a_shape(flavour="tpu"), 1, Reason.NO_SUCH_FLAVOUR, "resources.accelerators"),
        (a_shape(gpus=2, flavour="h200.2"), 1, Reason.NO_SUCH_FLAVOUR, "resources.accelerators"),
        (a_shape(cores=17), 1, Reason.MORE_THAN_ANY_NODE, "resources"),
        (a_shape(gpus=9, flavour="h200"), 1, Reason.MORE_THAN_ANY_NODE, "resources"),
        (a_shape(memory_mib=9000), 1, Reason.MORE_THAN_ANY_NODE, "resources"),
        (a_shape(cores=8), 7, Reason.MORE_THAN_THE_SITE, "num_nodes"),
        (a_shape(gpus=8, flavour="h200"), 2, Reason.MORE_THAN_THE_SITE, "num_nodes"),
    ],
)
def test_a_refusal_says_why_and_names_what_exists(shape, nodes, reason, where):
    refusal = resolve_shapes(FLEET, (shape,), nodes)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.where) == (reason, where)
    assert "cpu (2 x 8 cores, 8192 MiB), h200.4 (1 x 16 cores, 8192 MiB, 4 GPUs), h200.8 (1 x" in refusal.do
    assert "h200.2" not in refusal.do, "a removed node is not on offer"


def a_slice(profile, flavour=None):
    return replace(a_shape(gpus=1, flavour=flavour), mig=profile, gpu_milli=142)


@pytest.mark.parametrize(
    ("shape", "what", "do"),
    [
        (a_slice("1g.23gb", "H200"), "the slice 1g.23gb of H200", "It cuts h200.4 into 1g.18gb, 1g.35gb"),
        (a_slice("1g.23gb", "B200"), "the slice 1g.23gb of B200", "It cuts h200.4 into 1g.18gb, 1g.35gb"),
        (a_slice("5g.1gb"), "the slice 5g.1gb of any GPU", "; h200.8 into 1g.18gb"),
    ],
)
def test_a_slice_that_no_flavour_has_is_refused_by_its_name(shape, what, do):
    refusal = resolve_shapes(FLEET, (shape,), 1)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.where) == (Reason.NO_SUCH_FLAVOUR, "resources.accelerators")
    assert f"{what}" in refusal.what
    assert "no GPU that is cut like that" in refusal.what
    assert do in refusal.do
    cpus = resolve_shapes(a_fleet(a_node("n1")), (shape,), 1)
    assert isinstance(cpus, Refusal)
    assert cpus.do == "It cuts no GPU into slices. Ask for a part of one, such as B200:0.5"


def test_a_slice_is_the_part_of_its_gpu_that_it_computes_with():
    fleet = a_fleet(a_node("b", gpus=8, flavour="b200.8"), a_node("r", gpus=8, flavour="rtxpro6000.8"))
    for flavour, profile, milli in (("b200", "1g.23gb", 142), ("b200", "3g.90gb", 426), ("rtxpro6000", "1g.24gb", 250), ("rtxpro6000", "4g.96gb", 999)):
        (shape,) = resolve_shapes(fleet, (a_slice(profile, flavour),), 1)
        assert (shape.flavour, shape.gpu_milli) == (f"{flavour}.8", milli)


def test_the_first_alternative_says_why_when_none_fits():
    refusal = resolve_shapes(FLEET, (a_shape(gpus=1, flavour="b200"), a_shape(cores=99)), 1)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_SUCH_FLAVOUR
    assert "1 x b200" in refusal.what


def test_a_gang_that_no_domain_holds_is_refused_where_it_must_stand_in_one():
    fleet = a_fleet(*(a_node(f"n{nth}", cores=8, rack=f"r{nth // 2}") for nth in range(4)))
    must, wish = Within(Level.RACK, is_required=True), Within(Level.RACK)
    refusal = resolve_shapes(fleet, (a_shape(cores=8),), 3, within=must)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.where, refusal.values) == (Reason.MORE_THAN_THE_SITE, "within", {"nodes": 3, "within": "rack"})
    assert resolve_shapes(fleet, (a_shape(cores=8),), 2, within=must) == (a_shape(cores=8),)
    assert resolve_shapes(fleet, (a_shape(cores=8),), 3, within=wish) == (a_shape(cores=8),)


def test_an_empty_factory_and_an_empty_wish_are_refused():
    nothing = resolve_shapes(Fleet(), (a_shape(),), 1)
    assert isinstance(nothing, Refusal)
    assert "no node at all" in nothing.do
    assert resolve_shapes(FLEET, (), 1).reason is Reason.INVALID_TASK  # type: ignore[union-attr]


def test_a_drained_node_still_makes_a_task_acceptable():
    assert resolve_shapes(a_fleet(a_node("n1", drained=True)), (a_shape(),), 1) == (a_shape(),)


def test_flavours_are_listed_without_removed_nodes():
    assert {name: [node.node for node in nodes] for name, nodes in flavours_of(FLEET).items()} == {
        "cpu": ["n1", "n2"],
        "h200.4": ["g2"],
        "h200.8": ["g1"],
    }
