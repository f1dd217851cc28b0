"""Who gives way: the least work lost, minimal against brute force, the topology kept, nobody in vain."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.topology import Level, Within
from eisbach.core.jobs.request import NodeShape
from eisbach.core.scheduling.power import PowerRoom, PowerSums
from eisbach.core.scheduling.preempt import Ask, Right, Running, cheapest, for_waiting, work_lost
from eisbach.core.scheduling.victims import least_cost, tasks_in

NODE = {"cpu_milli": 96_000, "memory_mib": 800_000, "gpus": 8}
WHOLE_NODE = NodeShape(**NODE, flavour="b200.8")


def a_fleet(nodes: int = 8, rack_of: int = 4) -> Fleet:
    fleet = Fleet()
    for number in range(nodes):
        fleet.add(Node(node=f"n{number}", pool="p", site="s", flavour="b200.8", rack=f"r{number // rack_of}", **NODE))
    return fleet


def running(fleet: Fleet, job: str, on: dict[int, int], lost: int, right: int = Right.SPOT, **more: bool) -> Running:
    """Work that holds so many GPUs of each node, taken from the fleet."""
    shares = []
    for rank, (number, gpus) in enumerate(on.items()):
        node = fleet.nodes[f"n{number}"]
        shares.append(Share(rank, node.node, gpus * 12_000, gpus * 100_000, tuple(node.free_gpus[:gpus])))
    fleet.take(shares)
    return Running(job, right, lost, tuple(shares), more.get("is_leaving", False), more.get("is_fresh", False))


def given_way(fleet: Fleet, work: list[Running], ask: Ask, right: int = Right.ON_DEMAND) -> list[str] | None:
    room = PowerRoom({}, fleet, PowerSums(fleet))

    def fits() -> bool:
        return fleet.place(ask.shape, ask.nodes, ask.where, within=ask.within) is not None

    chosen = for_waiting(fleet, room, work, right, fits, (ask,))
    return None if chosen is None else sorted(one.job for one in chosen)


def test_the_least_work_is_lost_even_where_the_smallest_loss_is_not_in_it():
    fleet = a_fleet(3)
    work = [
        running(fleet, "cheap", {0: 8}, lost=10),
        running(fleet, "gang", {1: 8, 2: 8}, lost=15),
    ]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 1)) == ["cheap"]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 2)) == ["gang"]


def test_a_gang_is_made_room_for_in_one_rack():
    fleet = a_fleet(8)
    work = [running(fleet, f"j{number}", {number: 8}, lost=number) for number in range(8)]
    within = Within(Level.RACK, is_required=True)
    work[0] = work[0]._replace(lost=1000)
    assert given_way(fleet, work, Ask(WHOLE_NODE, 4)) == ["j1", "j2", "j3", "j4"]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 4, within=within)) == ["j4", "j5", "j6", "j7"]


def test_spot_gives_way_before_work_above_a_quota_whatever_is_lost():
    fleet = a_fleet(2)
    work = [
        running(fleet, "spot", {0: 8}, lost=10**9),
        running(fleet, "above", {1: 8}, lost=1, right=Right.ABOVE_QUOTA),
    ]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 1)) == ["spot"]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 2)) == ["above", "spot"]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 2), right=Right.ABOVE_QUOTA) is None


def test_what_has_just_begun_and_what_has_the_same_right_stay():
    fleet = a_fleet(2)
    work = [
        running(fleet, "fresh", {0: 8}, lost=0, is_fresh=True),
        running(fleet, "mine", {1: 8}, lost=0, right=Right.ON_DEMAND),
    ]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 1)) is None


def test_who_is_leaving_is_waited_for_before_anybody_else_is_asked():
    fleet = a_fleet(2)
    work = [running(fleet, "leaving", {0: 8}, lost=5, is_leaving=True), running(fleet, "spot", {1: 8}, lost=1)]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 1)) == []
    assert given_way(fleet, work, Ask(WHOLE_NODE, 2)) == ["spot"]


def test_parts_of_a_gpu_give_way_too():
    fleet = a_fleet(1)
    whole = running(fleet, "seven", {0: 7}, lost=1)
    part = Share(0, "n0", 12_000, 100_000, (7,), "", 500)
    fleet.take([part])
    work = [whole, Running("part", Right.SPOT, 3, (part,), is_leaving=False)]
    assert given_way(fleet, work, Ask(WHOLE_NODE, 1)) == ["part", "seven"]


def test_work_lost_counts_gpus_by_their_thousandths():
    share = Share(0, "n0", 12_000, 100_000, (0, 1))
    assert work_lost(10, [share, share]) == 10 * 4000
    assert work_lost(10, [share._replace(gpus=(0,), gpu_milli=250)]) == 2500
    assert work_lost(10, [share._replace(gpus=())]) == 120_000


SOME_WORK = st.lists(
    st.tuples(st.sets(st.integers(0, 4), min_size=1, max_size=3), st.integers(1, 8), st.integers(0, 50)), min_size=1, max_size=8
)


@settings(max_examples=150)
@given(SOME_WORK, st.sampled_from([1, 2, 4, 8]), st.integers(1, 6), st.booleans())
def test_no_other_set_loses_less(asked, gpus, count, is_near):
    """Against every set there is: small fleets, mixed gangs, whole nodes and parts of one, with and without topology."""
    fleet, work = a_fleet(5, rack_of=2), []
    for number, (nodes, wanted, lost) in enumerate(asked):
        if all(len(fleet.nodes[f"n{node}"].free_gpus) >= wanted for node in nodes):
            work.append(running(fleet, f"j{number}", dict.fromkeys(sorted(nodes), wanted), lost))
    within = Within(Level.RACK, is_required=True) if is_near else None
    ask = Ask(NodeShape(cpu_milli=gpus * 12_000, memory_mib=gpus * 100_000, gpus=gpus, flavour="b200"), count, within=within)

    def is_enough(chosen):
        for one in chosen:
            fleet.give_back(one.shares)
        placed = fleet.place(ask.shape, ask.nodes, ask.where, within=within)
        for one in chosen:
            fleet.take(one.shares)
        return placed is not None

    sets = (chosen for size in range(len(work) + 1) for chosen in combinations(work, size))
    least = min((sum(one.lost for one in chosen) for chosen in sets if is_enough(chosen)), default=None)
    found = cheapest(fleet, work, (ask,)) if least != 0 or not is_enough(()) else []
    assert (None if found is None else sum(one.lost for one in found)) == least
    if found:
        assert is_enough(found)


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 8)), min_size=1, max_size=3, unique_by=lambda part: part[0]),
                  st.integers(0, 100)), min_size=1, max_size=7),
    st.integers(1, 8),
    st.integers(1, 5),
)  # fmt: skip
def test_the_cover_is_the_cheapest_of_all(work, need, missing):
    """The solver alone, on places that nobody could really be on: more held than a node has."""
    free = [(0, 0, 1)] * 4
    held = [tuple((place, 0, 0, gpus) for place, gpus in parts) for parts, _ in work]
    costs = [cost for _, cost in work]
    amounts = (0, 0, need)

    def gained(chosen):
        gpus = [1] * 4
        for number in chosen:
            for place, _, _, count in held[number]:
                gpus[place] += count
        return sum(tasks_in(amounts, 0, 0, one) for one in gpus) - sum(tasks_in(amounts, 0, 0, 1) for _ in gpus)

    sets = (chosen for size in range(len(work) + 1) for chosen in combinations(range(len(work)), size))
    least = min((sum(costs[one] for one in chosen) for chosen in sets if gained(chosen) >= missing), default=None)
    found = least_cost(free, costs, held, amounts, missing)
    assert (None if found is None else found[0]) == least
