"""The operator's map of a site: halls, their rows, their racks, and the nodes in them with what of each is allocated."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from eisbach.app.list_sites import facts_of, nodes_at
from eisbach.app.state import FactoryState
from eisbach.app.state_health import HealthState
from eisbach.core.capacity.health import Health
from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.reasons import Reason, Refusal

FULL = 1000
"""Thousandths: all of it is allocated."""


class Condition(Enum):
    """How a node is, as its operator looks at it; the first that holds, in this order."""

    LOST = "lost"
    SUSPECT = "suspect"
    MAINTENANCE = "maintenance"
    PLANNED = "planned"
    CORDONED = "cordoned"
    DRAINING = "draining"
    DRAINED = "drained"
    FULL = "full"
    BUSY = "busy"
    IDLE = "idle"


_IN_USE = (Condition.FULL, Condition.BUSY, Condition.IDLE)


@dataclass(slots=True)
class Tally:
    """What nodes come to together: how many there are, in which condition, and how much of them is allocated."""

    nodes: int = 0
    gpus: int = 0
    held_gpus: int = 0
    allocated_sum: int = 0
    conditions: dict[str, int] = field(default_factory=lambda: {one.value: 0 for one in Condition})

    def add(self, gpus: int, held_gpus: int, allocated: int, condition: str) -> None:
        """Count a node."""
        self.nodes += 1
        self.gpus += gpus
        self.held_gpus += held_gpus
        self.allocated_sum += allocated
        self.conditions[condition] += 1

    def include(self, inner: "Tally") -> None:
        """Count what an inner place has counted."""
        self.nodes += inner.nodes
        self.gpus += inner.gpus
        self.held_gpus += inner.held_gpus
        self.allocated_sum += inner.allocated_sum
        for name, count in inner.conditions.items():
            self.conditions[name] += count

    def figures(self) -> dict[str, Any]:
        """Return the counts; `allocated_permille` is the mean over the nodes, rounded down."""
        return {
            "nodes": self.nodes,
            "gpus": self.gpus,
            "held_gpus": self.held_gpus,
            "allocated_permille": self.allocated_sum // self.nodes if self.nodes else 0,
            "closed": self.nodes - sum(self.conditions[one.value] for one in _IN_USE),
            "conditions": dict(self.conditions),
        }


def allocated_permille(node: Node) -> int:
    """Return in thousandths how much of a node is allocated: of its GPUs and their parts where it has any, else of its scarcer half.

    GPUs are what a GPU node is sold by; elsewhere cores or memory, whichever has less left, decides what still fits.
    """
    if node.gpus:
        return node.held_gpu_milli * FULL // (node.gpus * WHOLE)
    cores = (node.cpu_milli - node.free_cpu_milli) * FULL // node.cpu_milli
    memory = (node.memory_mib - node.free_memory_mib) * FULL // node.memory_mib
    return max(cores, memory)


def condition_of(health: HealthState, node: Node) -> Condition:
    """Return how a node is."""
    if not node.available:
        return _why_unavailable(health, node)
    if node.is_idle:
        return Condition.IDLE
    return Condition.FULL if allocated_permille(node) >= FULL else Condition.BUSY


def _why_unavailable(health: HealthState, node: Node) -> Condition:
    mark = health.marks.get(node.node)
    if mark is not None:
        return Condition.LOST if mark.health is Health.LOST else Condition.SUSPECT
    if node.node in health.coming:
        return Condition.PLANNED
    if node.node in health.closed:
        return Condition.MAINTENANCE
    if node.node in health.cordoned:
        return Condition.CORDONED
    return Condition.DRAINED if node.is_idle else Condition.DRAINING


def question(site: str, hall: str | None = None, *, nodes_max: int | None = None) -> Callable[[FactoryState, int], dict[str, Any] | None]:
    """Return the question for the map of a site; None without such a site.

    Every hall has its figures; rows, racks and nodes stand in all of them, with `hall` in that one alone. A site of more than
    `nodes_max` nodes shows those of its first hall where none is named: 100,000 GPUs at once are no picture.
    """

    def ask(state: FactoryState, now: int) -> dict[str, Any] | None:
        if site not in state.sites:
            return None
        nodes = nodes_at(state, site)
        halls = _grouped(nodes, "hall")
        only = halls[0][0] if hall is None and nodes_max is not None and len(nodes) > nodes_max else hall
        attempts, health, whole = attempts_on(state), state.health, Tally()
        drawn = [_hall(name, inside, attempts, health, whole, is_open=only in (None, name)) for name, inside in halls]
        return {**facts_of(state.sites[site]), **whole.figures(), "hall": only, "halls": drawn}

    return ask


def no_such_hall(found: dict[str, Any], hall: str | None) -> Refusal | None:
    """Return the refusal of a map of one hall where the site has none of that name."""
    halls = [one["hall"] for one in found["halls"]]
    if hall is None or hall in halls:
        return None
    named = ", ".join(name for name in halls if name)
    has = f"It has {named}" if named else "Its nodes name no hall"
    return Refusal(Reason.NOT_FOUND, f"The site {found['site']} has no hall {hall!r}", has, "hall", {"halls": halls})


def attempts_on(state: FactoryState) -> dict[str, list[str]]:
    """Return node -> the attempts that hold a share of it, in the order of their ids."""
    found: dict[str, list[str]] = {}
    for attempt, job in sorted(state.scheduler.holding.items()):
        for node in dict.fromkeys(share.node for share in job.shares):
            found.setdefault(node, []).append(attempt)
    return found


def _hall(
    name: str, nodes: list[Node], attempts: dict[str, list[str]], health: HealthState, outer: Tally, *, is_open: bool
) -> dict[str, Any]:
    hall, rows = Tally(), []
    for row, in_row in _grouped(nodes, "row"):
        row_tally, racks = Tally(), []
        for rack, in_rack in _grouped(in_row, "rack"):
            rack_tally, inside = Tally(), []
            for node in in_rack:
                allocated, condition = allocated_permille(node), condition_of(health, node).value
                held = node.gpus - len(node.free_gpus)
                rack_tally.add(node.gpus, held, allocated, condition)
                if is_open:
                    inside.append(_node(node, attempts, held, allocated, condition))
            row_tally.include(rack_tally)
            if is_open:
                racks.append({"rack": rack, **rack_tally.figures(), "inside": inside})
        hall.include(row_tally)
        if is_open:
            rows.append({"row": row, **row_tally.figures(), "racks": racks})
    outer.include(hall)
    return {"hall": name, **hall.figures(), "rows": rows}


def _node(node: Node, attempts: dict[str, list[str]], held_gpus: int, allocated: int, condition: str) -> dict[str, Any]:
    return {
        "node": node.node,
        "pool": node.pool,
        "flavour": node.flavour,
        "condition": condition,
        "drained_by": node.drained_by,
        "allocated_permille": allocated,
        "gpus": node.gpus,
        "held_gpus": held_gpus,
        "attempts": attempts.get(node.node, []),
    }


def _grouped(nodes: Iterable[Node], place: str) -> list[tuple[str, list[Node]]]:
    """Return the nodes of each hall, row or rack, in the order in which their first nodes were declared."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(getattr(node, place), []).append(node)
    return list(found.items())
