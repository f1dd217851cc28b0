"""Stranded GPUs: free, and of no use to those who ask for some; by pool and by domain, in GPU-hours and euro.

Source: Q. Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
ATC 2023, section 3: what is free on a node is a fragment for a task that cannot have it, and the fragments of all tasks are
added up, weighed by how often each comes. The tasks here are those that wait; where nobody waits for a GPU, those that run.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from eisbach.app.state import FactoryState
from eisbach.core.capacity.fit import how_many
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.topology import Level, domain_of
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape

WAITING, RUNNING, NOTHING = "waiting", "running", "nothing"


@dataclass(slots=True)
class Free:
    """What is free of some GPUs and what of that is stranded, in thousandths; and what the stranded ones cost an hour."""

    nodes: int = 0
    gpus: int = 0
    free_milli: int = 0
    stranded_milli: int = 0
    lost_hour: int = 0

    def add(self, node: Node, free_milli: int, stranded_milli: int, gpu_hour: int) -> None:
        """Count a node."""
        self.nodes += 1
        self.gpus += node.gpus
        self.free_milli += free_milli
        self.stranded_milli += stranded_milli
        self.lost_hour += stranded_milli * gpu_hour // WHOLE

    def figures(self) -> dict[str, int]:
        """Return them as faces show them."""
        return {
            "nodes": self.nodes,
            "gpus": self.gpus,
            "free_gpu_milli": self.free_milli,
            "stranded_gpu_milli": self.stranded_milli,
            "lost_hour": self.lost_hour,
        }


def question(level: Level = Level.HALL) -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question what is stranded now, by pool and by the domains of a level."""

    def ask(state: FactoryState, now: int) -> dict[str, Any]:
        asked, tasks = _asked(state)
        tariff = state.prices.at(now)
        stranded = _Stranded(tasks)
        pools: dict[str, Free] = {}
        domains: dict[str, Free] = {}
        first_of: dict[str, Node] = {}
        prices: dict[str, int] = {}
        for node in state.scheduler.fleet.nodes.values():
            if not node.gpus or not node.available or node.removed:
                continue
            if node.flavour not in prices:
                one = NodeShape(cpu_milli=0, memory_mib=0, gpus=1, flavour=node.flavour)
                prices[node.flavour] = (tariff.price(one, 1, CapacityClass.ON_DEMAND) or 0) if tariff is not None else 0
            free_milli = node.gpus * WHOLE - node.held_gpu_milli
            lost_milli = stranded.of(node, free_milli)
            domain = domain_of(node, level)
            first_of.setdefault(node.pool, node)
            first_of.setdefault(domain, node)
            for found, name in ((pools, node.pool), (domains, domain)):
                found.setdefault(name, Free()).add(node, free_milli, lost_milli, prices[node.flavour])
        return {
            "asked": asked,
            "tasks": sum(tasks.values()),
            "level": level.value,
            "pools": [{"pool": name, **_place(state, first_of[name]), "flavour": first_of[name].flavour, **one.figures()} for name, one in sorted(pools.items())],
            "domains": [{"domain": name, **_place(state, first_of[name]), **one.figures()} for name, one in sorted(domains.items())],
        }

    return ask


class _Stranded:
    """What of a node is stranded: worked out once for equal nodes."""

    def __init__(self, tasks: Counter[NodeShape]) -> None:
        self._tasks = tasks
        self._known: dict[Any, int] = {}

    def of(self, node: Node, free_milli: int) -> int:
        """Return the thousandths of its free GPUs that the tasks could not have, their mean; 0 where nobody asks for such GPUs."""
        key = (node.kind, node.state)
        if free_milli and key not in self._known:
            asked = [(shape, times) for shape, times in self._tasks.items() if shape.flavour is None or is_flavour(node.flavour, shape.flavour)]
            lost = sum(times * max(0, free_milli - _usable(node, shape)) for shape, times in asked)
            self._known[key] = lost // sum(times for _, times in asked) if asked else 0
        return self._known[key] if free_milli else 0


def _usable(node: Node, shape: NodeShape) -> int:
    return how_many(node.kind, node.state, shape) * shape.gpus * shape.gpu_milli


def _asked(state: FactoryState) -> tuple[str, Counter[NodeShape]]:
    """Whose tasks count: those that wait for GPUs, or else those that run; each as often as its gang has it."""
    jobs = state.scheduler.jobs.values()
    for said, of in ((WAITING, (job for job in jobs if job.state is JobState.WAITING)), (RUNNING, (job for job in jobs if job.attempt))):
        tasks = _tasks((job.shapes[job.shape], job.nodes) for job in of)
        if tasks:
            return said, tasks
    return NOTHING, Counter()


def _tasks(asked: Iterable[tuple[NodeShape, int]]) -> Counter[NodeShape]:
    tasks: Counter[NodeShape] = Counter()
    for shape, times in asked:
        if shape.gpus:
            tasks[shape] += times
    return tasks


def _place(state: FactoryState, node: Node) -> dict[str, Any]:
    return {"site": node.site, "simulated": state.sites[node.site].is_simulated}
