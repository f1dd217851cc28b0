"""The indexes of the fleet against one that walks over its nodes: random work, drains and dates, the same answers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.capacity.fit import how_many
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.pool import NEVER, UNDATED
from eisbach.core.capacity.search import Asked
from eisbach.core.capacity.topology import Level, Within, domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape
from eisbach.core.vocabulary.invariant import BrokenInvariant
from tests.core.walking_fleet import WalkingFleet

SHAPES = [
    NodeShape(cpu_milli=4000, memory_mib=1024, gpus=4, flavour="b200"),
    NodeShape(cpu_milli=4000, memory_mib=1024, gpus=4, flavour="b200"),
    NodeShape(cpu_milli=8000, memory_mib=8192, gpus=4, flavour="b200"),  # nothing is left of a node then, nor of one with two of the next
    NodeShape(cpu_milli=4000, memory_mib=4096, gpus=2, flavour="b200"),
    NodeShape(cpu_milli=8000, memory_mib=0),
    NodeShape(cpu_milli=8000, memory_mib=0, gpus=1, gpu_milli=500),
    NodeShape(cpu_milli=1000, memory_mib=512),
    NodeShape(cpu_milli=1000, memory_mib=512, gpus=1),
    NodeShape(cpu_milli=2000, memory_mib=0, gpus=2, flavour="b200.4"),
    NodeShape(cpu_milli=500, memory_mib=0, gpus=1, gpu_milli=500, flavour="b200"),
    NodeShape(cpu_milli=500, memory_mib=0, gpus=1, gpu_milli=300),
    NodeShape(cpu_milli=500, memory_mib=0, gpus=1, gpu_milli=142, mig="1g.23gb", flavour="b200"),
    NodeShape(cpu_milli=500, memory_mib=0, gpus=1, gpu_milli=426, mig="3g.90gb", flavour="b200"),
]
WHERES = [ANYWHERE, ANYWHERE, ANYWHERE, Where(frozenset({"there"})), Where(None, "prj_a"), Where(None, "prj_b")]
WITHINS = [None, Within(Level.RACK), *(Within(level, True) for level in Level)]

nodes = st.builds(
    lambda site, hall, row, rack, nvlink, is_gpu: (site, hall, row and f"row{row}", rack and f"rack{rack}", nvlink, is_gpu),
    st.sampled_from(["here", "here", "there"]),
    st.sampled_from(["", "h1", "h2"]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from(["", "", "dom1"]),
    st.sampled_from([True, True, False]),
)
places = st.tuples(
    st.just("place"),
    st.sampled_from(SHAPES),
    st.integers(1, 9),
    st.sampled_from(WHERES),
    st.sampled_from(WITHINS),
    st.sampled_from([None, None, 100, 200]),
)
operations = st.one_of(
    places,
    places,
    st.tuples(st.just("give back"), st.integers(0, 20)),
    st.tuples(st.just("available"), st.integers(0, 11), st.booleans()),
    st.tuples(st.just("dated"), st.integers(0, 11), st.sampled_from([None, 50, 150, 200])),
)


def made(drawn):
    return [
        Node(
            node=f"n{number}",
            pool="gpu" if is_gpu else "cpu",
            site=site,
            flavour="b200.4" if is_gpu else "cpu",
            cpu_milli=8000,
            memory_mib=8192,
            gpus=4 if is_gpu else 0,
            hall=hall,
            row=row or "",
            rack=rack or "",
            nvlink=nvlink,
        )
        for number, (site, hall, row, rack, nvlink, is_gpu) in enumerate(drawn)
    ]


def index_of(fleet):
    """Everything that the indexes say, in an order that does not depend on how they came to say it."""
    fleet.pools()
    return [
        (
            pool.name,
            pool.loose,
            pool.dates,
            {date: sorted(vacancies.masks.items()) for date, vacancies in sorted(pool.idle.items())},
            {date: [sorted(vacancies.rooms(tier)) for tier in range(pool.tree.tiers)] for date, vacancies in sorted(pool.idle.items())},
            {tenant: {date: sorted(states.items()) for date, states in dates.items()} for tenant, dates in pool.used.items()},
        )
        for pool in fleet.pools()
    ]


def rebuilt(drawn, walking, taken):
    """A fleet of the same nodes to which the same was done in another order."""
    fleet = Fleet()
    for node in made(drawn):
        node.available, node.dated_ms = walking.nodes[node.node].is_available, walking.nodes[node.node].dated_ms
        fleet.add(node)
    for shares in reversed(taken):
        fleet.take(shares)
    return fleet


def check_placed(fleet, walking, shares, shape, count, where, within, ends_by):
    assert [share.rank for share in shares] == list(range(count)), "a gang is placed whole"
    used = [fleet.nodes[share.node] for share in shares]
    assert len({node.site for node in used}) == 1, "a gang is at one site"
    assert all(where.allows(node) and walking.nodes[node.node].is_available for node in used)
    assert all(node.dated_ms is None or (ends_by is not None and ends_by <= node.dated_ms) for node in used)
    assert all(len(share.gpus) == shape.gpus and share.gpu_milli == shape.gpu_milli for share in shares)
    if within is not None and within.is_required:
        assert len({domain_of(node, within.level) for node in used}) == 1, "what is required is kept"
    is_whole = all(how_many(node.kind, node.state, shape) == 1 and node.is_idle for node in used)
    if is_whole and len({node.pool for node in fleet.nodes.values()}) == 1 and len({node.site for node in fleet.nodes.values()}) == 1:
        spanned = next((place for place, level in enumerate(Level) if len({domain_of(node, level) for node in used}) == 1), len(Level))
        assert spanned <= walking.tightest(shape, count, where, ends_by), "a gang of whole nodes is in the tightest domain"


def check_reach(fleet, asked):
    """Where a count of idle nodes tells until when a gang may last, placing it says the same; so does who was never asked before."""
    (shape,), count, where, within = asked.shapes, asked.nodes, asked.where, asked.within
    reach = fleet.reach(asked)
    assert fleet.reach(Asked((shape,), count, where, within)) == reach
    if reach is not None:
        for ends_by in (0, 49, 50, 51, 150, 151, 200, 201, UNDATED):
            placed = fleet.place(shape, count, where, within=within, ends_by=ends_by)
            assert (placed is not None) == (ends_by <= reach)


def test_what_was_found_out_about_a_question_is_found_out_again_when_nodes_come_or_change():
    fleet, asked = Fleet(), Asked((NodeShape(cpu_milli=4000, memory_mib=1024, gpus=4),), 2)
    first, second, bare = made([("here", "", "", "", "", True), ("here", "", "", "", "", True), ("here", "", "", "", "", False)])
    for node, reach in ((first, NEVER), (second, UNDATED), (bare, UNDATED)):
        fleet.add(node)
        assert fleet.reach(asked) == reach
    fleet.replace(replace(second, gpus=0))
    assert fleet.reach(asked) == NEVER


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=12), st.lists(operations, max_size=14))
def test_the_indexed_fleet_answers_as_one_that_walks(drawn, todo):
    fleet, walking, taken, asked = Fleet(), WalkingFleet(made(drawn)), [], []
    for node in made(drawn):
        fleet.add(node)
    for kind, *what in todo:
        if kind == "place":
            shape, count, where, within, ends_by = what
            before = index_of(fleet)
            shares = fleet.place(shape, count, where, within=within, ends_by=ends_by)
            assert index_of(fleet) == before, "placing takes nothing"
            assert rebuilt(drawn, walking, taken).place(shape, count, where, within=within, ends_by=ends_by) == shares
            assert (shares is not None) == walking.fits(shape, count, where, within, ends_by)
            for earlier in asked[-2:]:
                check_reach(fleet, earlier)
            asked.append(Asked((shape,), count, where, within))
            check_reach(fleet, asked[-1])
            if shares is not None:
                check_placed(fleet, walking, shares, shape, count, where, within, ends_by)
                fleet.take(shares)
                fleet.give_back(shares)
                assert index_of(fleet) == before, "what is rolled back leaves no trace"
                fleet.take(shares)
                walking.take(shares)
                taken.append(shares)
        elif kind == "give back":
            if taken:
                shares = taken.pop(what[0] % len(taken))
                fleet.give_back(shares)
                walking.give_back(shares)
        else:
            name = f"n{what[0] % len(drawn)}"
            if kind == "available":
                fleet.set_available(name, what[1])
                walking.nodes[name].is_available = what[1]
            else:
                fleet.set_dated(name, what[1])
                walking.nodes[name].dated_ms = what[1]
        assert index_of(fleet) == index_of(rebuilt(drawn, walking, taken)), "the indexes say what a new one would"
    for one in walking.nodes.values():
        assert (fleet.nodes[one.node.node].is_idle) == (not one.shares)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(nodes.map(lambda one: ("here", *one[1:])), min_size=1, max_size=9),
    st.data(),
    st.sampled_from(SHAPES),
    st.integers(1, 6),
    st.sampled_from(WITHINS),
)
def test_a_gang_on_named_nodes_is_as_near_together_as_it_wishes(drawn, data, shape, count, within):
    """So a job inside a booking, or spot on its idle nodes, is placed as it would be anywhere else."""
    fleet, names = Fleet(), [f"n{number}" for number in range(len(drawn))]
    for node in made(drawn):
        fleet.add(node)
    named = data.draw(st.permutations(names))[: data.draw(st.integers(1, len(names)))]
    walking = WalkingFleet([fleet.nodes[name] for name in named])
    for name in data.draw(st.lists(st.sampled_from(named), max_size=3)):
        busy = fleet.place(SHAPES[7], 1, among=[name])
        if busy is not None:
            fleet.take(busy)
            walking.take(busy)
    shares = fleet.place(shape, count, within=within, among=named)
    assert (shares is not None) == walking.fits(shape, count, ANYWHERE, within, None)
    if shares is not None and count > 1:
        used = [fleet.nodes[share.node] for share in shares]
        is_whole = all(one.room(shape) <= 1 for one in walking.nodes.values())
        first = 0 if is_whole else len(Level) if within is None else list(Level).index(within.level)
        spanned = next((place for place, level in enumerate(Level) if len({domain_of(node, level) for node in used}) == 1), len(Level))
        holds = (max(walking.rooms(shape, ANYWHERE, level, None).values()) >= count for level in list(Level)[first:])
        assert spanned <= first + next((place for place, one in enumerate(holds) if one), len(Level) - first)


@pytest.mark.parametrize(("dated", "drained"), [((), ()), ((1,), ()), ((0, 1), (2,)), ((), (0,)), (tuple(range(6)), ())])
def test_a_gang_comes_back_to_nodes_of_which_some_were_dated_or_drained_meanwhile(dated, drained):
    drawn = [("here", "h1", "row1", f"rack{number % 2}", "", True) for number in range(8)]
    fleet, walking = Fleet(), WalkingFleet(made(drawn))
    for node in made(drawn):
        fleet.add(node)
    for _ in range(2):  # what is remembered of a gang is not what it was the last time
        shares = fleet.place(SHAPES[2], 6)
        fleet.take(shares)
        for number in dated:
            walking.nodes[shares[number].node].dated_ms = 70
            fleet.set_dated(shares[number].node, 70)
        for number in drained:
            walking.nodes[shares[number].node].is_available = False
            fleet.set_available(shares[number].node, False)
        assert index_of(fleet) == index_of(rebuilt(drawn, walking, [shares]))
        fleet.give_back(shares)
        assert index_of(fleet) == index_of(rebuilt(drawn, walking, []))
        for name in [share.node for share in shares]:
            walking.nodes[name].dated_ms, walking.nodes[name].is_available = None, True
            fleet.set_dated(name, None)
            fleet.set_available(name, True)
    with pytest.raises(BrokenInvariant):
        fleet.give_back(shares)


@pytest.mark.parametrize("drained", [(), (0,), (3,)])
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]], ids=["a part of each node", "all of each node"])
def test_nothing_is_remembered_of_a_gang_that_has_let_go(shape, drained):
    fleet = Fleet()
    for node in made([("here", "h1", "row1", "rack1", "", True)] * 8):
        fleet.add(node)
    for _ in range(2):
        shares = fleet.place(shape, 6)
        fleet.take(shares)
        assert [len(pool._gangs) for pool in fleet.pools()] == [1]
        for number in drained:
            fleet.set_available(shares[number].node, False)
        fleet.give_back(shares)
        assert [len(pool._gangs) for pool in fleet.pools()] == [0]
        for number in drained:
            fleet.set_available(shares[number].node, True)
