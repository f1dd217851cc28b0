"""The operator's map of a site: halls, their rows, their racks, and the nodes in them with what of each is allocated."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from eisbach.app.list_sites import facts_of, nodes_at
from eisbach.app.state import FactoryState
from eisbach.core.capacity.inventory import Node

FULL = 1000
"""Thousandths: all of it is allocated."""


class Condition(Enum):
    """How a node is, as its operator looks at it; the first that holds, in this order."""

    DRAINED = "drained"
    FULL = "full"
    BUSY = "busy"
    IDLE = "idle"


@dataclass(slots=True)
class Tally:
    """What nodes come to together: how many there are, in which condition, and how much of them is allocated."""

    nodes: int = 0
    gpus: int = 0
    held_gpus: int = 0
    allocated_sum: int = 0
    conditions: dict[str, int] = field(default_factory=lambda: {one.value: 0 for one in Condition})

    def add(self, node: Node) -> None:
        """Count a node."""
        self.nodes += 1
        self.gpus += node.gpus
        self.held_gpus += node.gpus - len(node.free_gpus)
        self.allocated_sum += allocated_permille(node)
        self.conditions[condition_of(node).value] += 1

    def figures(self) -> dict[str, Any]:
        """Return the counts; `allocated_permille` is the mean over the nodes, rounded down."""
        return {
            "nodes": self.nodes,
            "gpus": self.gpus,
            "held_gpus": self.held_gpus,
            "allocated_permille": self.allocated_sum // self.nodes if self.nodes else 0,
            "conditions": dict(self.conditions),
        }


def allocated_permille(node: Node) -> int:
    """Return in thousandths how much of a node is allocated: of its GPUs where it has any, else of its scarcer half.

    GPUs are what a GPU node is sold by; elsewhere cores or memory, whichever has less left, decides what still fits.
    """
    if node.gpus:
        return (node.gpus - len(node.free_gpus)) * FULL // node.gpus
    cores = (node.cpu_milli - node.free_cpu_milli) * FULL // node.cpu_milli
    memory = (node.memory_mib - node.free_memory_mib) * FULL // node.memory_mib
    return max(cores, memory)


def condition_of(node: Node) -> Condition:
    """Return how a node is."""
    if node.drained:
        return Condition.DRAINED
    if node.is_idle:
        return Condition.IDLE
    return Condition.FULL if allocated_permille(node) >= FULL else Condition.BUSY


def question(site: str) -> Callable[[FactoryState, int], dict[str, Any] | None]:
    """Return the question for the map of a site; None without such a site."""

    def ask(state: FactoryState, now: int) -> dict[str, Any] | None:
        if site not in state.sites:
            return None
        nodes = nodes_at(state, site)
        attempts = attempts_on(state)
        return {
            **facts_of(state.sites[site]),
            **_tally(nodes),
            "halls": [_hall(name, inside, attempts) for name, inside in _grouped(nodes, "hall")],
        }

    return ask


def attempts_on(state: FactoryState) -> dict[str, list[str]]:
    """Return node -> the attempts that hold a share of it, in the order of their ids."""
    found: dict[str, list[str]] = {}
    for attempt, job in sorted(state.scheduler.holding.items()):
        for node in dict.fromkeys(share.node for share in job.shares):
            found.setdefault(node, []).append(attempt)
    return found


def _hall(name: str, nodes: list[Node], attempts: dict[str, list[str]]) -> dict[str, Any]:
    rows = [
        {
            "row": row,
            **_tally(in_row),
            "racks": [
                {"rack": rack, **_tally(in_rack), "inside": [_node(node, attempts) for node in in_rack]}
                for rack, in_rack in _grouped(in_row, "rack")
            ],
        }
        for row, in_row in _grouped(nodes, "row")
    ]
    return {"hall": name, **_tally(nodes), "rows": rows}


def _node(node: Node, attempts: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "node": node.node,
        "pool": node.pool,
        "flavour": node.flavour,
        "condition": condition_of(node).value,
        "drained_by": node.drained_by,
        "allocated_permille": allocated_permille(node),
        "gpus": node.gpus,
        "held_gpus": node.gpus - len(node.free_gpus),
        "attempts": attempts.get(node.node, []),
    }


def _tally(nodes: Iterable[Node]) -> dict[str, Any]:
    tally = Tally()
    for node in nodes:
        tally.add(node)
    return tally.figures()


def _grouped(nodes: Iterable[Node], place: str) -> list[tuple[str, list[Node]]]:
    """Return the nodes of each hall, row or rack, in the order in which their first nodes were declared."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(getattr(node, place), []).append(node)
    return list(found.items())
