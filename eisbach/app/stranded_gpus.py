"""Stranded GPUs by pool and by domain, in GPU-hours and euro: what core/admission/stranded.py defines, with its price."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eisbach.app.state import FactoryState
from eisbach.core.admission.stranded import Stranded, tasks_asked
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.topology import Level, domain_of
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape


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
        asked, tasks = tasks_asked(state.scheduler)
        tariff = state.prices.at(now)
        stranded = Stranded(tasks)
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
            lost_milli = stranded.of(node)
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


def _place(state: FactoryState, node: Node) -> dict[str, Any]:
    return {"site": node.site, "simulated": state.sites[node.site].is_simulated}
