"""Who gives way to 4,000 GPUs: CPU of choosing the victims with the least lost work on 12,500 full nodes of 8 GPUs.

python -m benchmarks.reclaim [--nodes N] [--gpus N] [--rounds N] [--seed K]

A sixth of the nodes hold spot (15,000 GPUs) of mixed sizes: parts of a node (1, 2 and 4 GPUs), whole nodes, gangs of 2 to 8 nodes; the rest holds
on-demand work that stays. Reclaimed are whole nodes: anywhere at the site, and half as many inside one hall (20 rows of 16 racks of 8 nodes). `for_waiting` is the function that the admission cycle calls.
KAI-Scheduler needs 85 s for such a reclaim.
"""

import argparse
import random
import time
from statistics import median

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.topology import Level, Within
from eisbach.core.jobs.request import NodeShape
from eisbach.core.scheduling.power import PowerRoom, PowerSums
from eisbach.core.scheduling.preempt import Ask, Right, Running, for_waiting, work_lost
from eisbach.core.vocabulary.quantities import DAY_MS

CPU_MILLI, MEMORY_MIB, GPUS = 96_000, 1_600_000, 8
SPOT = 1 / 6
WHOLE = NodeShape(cpu_milli=CPU_MILLI, memory_mib=MEMORY_MIB, gpus=GPUS, flavour="b200")


def a_full_fleet(nodes: int, chance: random.Random) -> tuple[Fleet, list[Running]]:
    """Return a fleet in which nothing is free, and what runs on it."""
    fleet, work = Fleet(), []
    for number in range(nodes):
        rack = number // 8
        fleet.add(
            Node(
                node=f"n{number:05d}", pool="p", site="s", flavour="b200.8", cpu_milli=CPU_MILLI, memory_mib=MEMORY_MIB,
                gpus=GPUS, rack=f"{rack % 16}", row=f"{rack // 16 % 20}", hall=f"{rack // 320}",
            )
        )  # fmt: skip
    names = list(fleet.nodes)
    chance.shuffle(names)
    while names:
        kind = chance.choice(("parts", "parts", "parts", "parts", "parts", "whole", "whole", "gang"))
        right = Right.SPOT if chance.random() < SPOT else Right.ON_DEMAND
        on = [names.pop() for _ in range(min(len(names), chance.choice((2, 4, 8)) if kind == "gang" else 1))]
        left = GPUS
        while left:
            gpus = min(left, chance.choice((1, 2, 4))) if kind == "parts" else GPUS
            first = GPUS - left
            shares = tuple(
                Share(rank, node, CPU_MILLI * gpus // 8, MEMORY_MIB * gpus // 8, tuple(range(first, first + gpus)))
                for rank, node in enumerate(on)
            )
            fleet.take(shares)
            work.append(
                Running(f"job{len(work)}", right, work_lost(chance.randrange(DAY_MS), shares), shares, is_leaving=False)
            )
            left -= gpus
    return fleet, work


def measure(name: str, fleet: Fleet, work: list[Running], ask: Ask, rounds: int) -> str:
    """Return the line of one reclaim."""
    room, spent, chosen = PowerRoom({}, fleet, PowerSums(fleet)), [], None

    def fits() -> bool:
        return fleet.place(ask.shape, ask.nodes, ask.where, within=ask.within) is not None

    fits()  # the indexes are made when they are first asked
    for _ in range(rounds):
        since = time.process_time()
        chosen = for_waiting(fleet, room, work, Right.ON_DEMAND, fits, (ask,))
        spent.append((time.process_time() - since) * 1000)
    if not chosen:
        return f"{name}: no room could be made"
    spot = sum(one.right == Right.SPOT for one in work)
    lost = sum(one.lost for one in chosen) / 3_600_000_000
    return (
        f"{name}: {ask.nodes * GPUS} GPUs from {len(chosen)} victims of {spot} jobs of spot, {lost:,.0f} GPU-hours lost, "
        f"CPU median {median(spent):.1f} ms, worst {max(spent):.1f} ms"
    )


def main() -> None:
    """Print one line for each reclaim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=12_500)
    parser.add_argument("--gpus", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = given.gpus // GPUS
    print(f"reclaim: {given.nodes} full nodes; python -m benchmarks.reclaim --seed {given.seed}")
    fleet, work = a_full_fleet(given.nodes, random.Random(given.seed))
    print(measure("anywhere", fleet, work, Ask(WHOLE, count), given.rounds))
    in_a_hall = Within(Level.HALL, is_required=True)
    print(measure("in one hall", fleet, work, Ask(WHOLE, count // 2, within=in_a_hall), given.rounds))


if __name__ == "__main__":
    main()
