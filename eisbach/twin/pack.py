"""Packing: pods that arrive one by one and never leave, placed on a list of nodes by the fleet that also works live.

The protocol of FGD (Q. Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 6): all pods of a list, more of them
drawn at random until they ask for 130 % of the GPUs, shuffled; what counts is how much of the GPUs is allocated when pods
that ask for all of them have arrived. GPU parts, cores and memory all count; a part of a GPU stays on one. Nodes without GPUs
take no part, as in the paper's simulator (its prepare_input.sh takes openb_node_list_gpu_node.yaml): pods without GPUs use cores
and memory of the others.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.ranking import Ranking
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.scheduling.rank import BestFit, Chance, Gradient
from eisbach.twin.pack_files import Pod

DEMAND_PERCENT = 130
"""What the pods ask for in the end, of all GPUs."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What came of it: fractions of all GPUs, and how many pods there were and found a place."""

    allocated_at_full_demand: float
    allocated_final: float
    pods: int
    placed: int


RANKINGS: Mapping[str, Callable[[Sequence[Pod], int], Ranking]] = {
    "fgd": lambda pods, seed: Gradient(typical_of(pods)),
    "bestfit": lambda pods, seed: BestFit(seed),
    "random": lambda pods, seed: Chance(seed),
}
"""The rankings by the name of their policy."""


def models_unknown(nodes: Sequence[Node], pods: Sequence[Pod]) -> dict[str, int]:
    """Return the GPU models that pods accept and no node has, each with how many pods accept nothing else, in order of names."""
    known = {node.pool for node in nodes if node.gpus}
    found: Counter[str] = Counter()
    for pod in pods:
        models = [shape.flavour for shape in pod if shape.gpus and shape.flavour is not None]
        if models:
            found.update({model: int(known.isdisjoint(models)) for model in models if model not in known})
    return dict(sorted(found.items()))


def typical_of(pods: Sequence[Pod]) -> dict[NodeShape, int]:
    """Return the usual workload: every shape with how often it is asked for."""
    return Counter(shape for pod in pods for shape in pod)


def pack(nodes: Sequence[Node], pods: Sequence[Pod], *, policy: str, seed: int) -> Packed:
    """Place pods on nodes as the protocol says; the same seed gives every policy the same pods in the same order."""
    fleet = Fleet(RANKINGS[policy](pods, seed))
    for node in nodes:
        if node.gpus:
            fleet.add(node)
    capacity = sum(node.gpus for node in nodes) * WHOLE
    arriving = arrivals(pods, capacity * DEMAND_PERCENT // 100, seed)
    asked = allocated = placed = 0
    at_full_demand: int | None = None
    for pod in arriving:
        asked += gpu_milli_of(pod)
        for shape in pod:
            shares = fleet.place(shape, 1)
            if shares is not None:
                fleet.take(shares)
                allocated += gpu_milli_of(pod)
                placed += 1
                break
        if at_full_demand is None and asked >= capacity:
            at_full_demand = allocated
    final = allocated / capacity
    return Packed(final if at_full_demand is None else at_full_demand / capacity, final, len(arriving), placed)


def arrivals(pods: Sequence[Pod], gpu_milli: int, seed: int) -> list[Pod]:
    """Return all pods and as many more drawn at random as it takes to ask for so much, in random order."""
    chance = random.Random(seed)
    drawn = list(pods)
    asked = sum(map(gpu_milli_of, drawn))
    while asked < gpu_milli:
        pod = pods[chance.randrange(len(pods))]
        drawn.append(pod)
        asked += gpu_milli_of(pod)
    chance.shuffle(drawn)
    return drawn


def gpu_milli_of(pod: Pod) -> int:
    """Return how many thousandths of GPUs a pod asks for."""
    return pod[0].gpus * pod[0].gpu_milli
