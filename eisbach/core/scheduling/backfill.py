"""When a gang can start at the earliest, and where, if everything that runs ends at its limit: nothing here changes anything.

The start that is kept for a gang so is EASY backfill's shadow time (D. Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995;
A. Mu'alem and D. Feitelson, TPDS 12(6), 2001), with named nodes in place of a count, around every entry of the calendar.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eisbach.core.capacity.calendar import Calendar
from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.topology import domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.quantities import MINUTE_MS

OVERDUE_MS = MINUTE_MS
"""What should be over by now is expected to end within this."""

Release = tuple[int, Sequence[Share]]
_OPENS, _CLOSES = 0, 1


@dataclass(frozen=True, slots=True)
class Gang:
    """What looks for a start: `nodes` tasks of one of these shapes, for `length_ms`."""

    shapes: tuple[NodeShape, ...]
    nodes: int
    length_ms: int
    where: Where = ANYWHERE
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A start that is possible: which of the acceptable shapes, when, and on which nodes."""

    shape: int
    at_ms: int
    nodes: tuple[str, ...]
    is_shared: bool
    """whether it leaves something of a node to others"""


@dataclass(slots=True)
class _Together:
    """What is open of one site or domain: tasks that its nodes hold from now on, those that opened last at the end."""

    tasks: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def set(self, node: str, tasks: int) -> None:
        """Say how many tasks a node holds now."""
        self.count += tasks - self.tasks.pop(node, 0)
        if tasks:
            self.tasks[node] = tasks


class Sweep:
    """One look along time for a shape: nodes open when they are released and close when their next entry is too near."""

    __slots__ = (
        "_calendar", "_count", "_due", "_fleet", "_freed", "_length", "_level", "_number", "_shape", "_together", "_where",
    )  # fmt: skip

    def __init__(self, fleet: Fleet, calendar: Calendar, gang: Gang, shape: NodeShape) -> None:
        self._fleet, self._calendar, self._shape = fleet, calendar, shape
        self._count, self._where, self._length = gang.nodes, gang.where, gang.length_ms
        self._level = gang.within.level if gang.within is not None and gang.within.is_required else None
        self._together: dict[str, _Together] = {}
        self._freed: dict[str, list[int]] = {}
        self._due: list[tuple[int, int, int, str]] = []
        self._number = 0

    def find(self, releases: Iterable[Release], now: int) -> tuple[int, dict[str, int]] | None:
        """Return the earliest instant at which the gang fits and the tasks that each open node of its site holds then.

        `releases` are in the order of their instants.
        """
        for node in self._fleet.usable(self._shape, self._where):
            if node.is_idle or node.tenant == self._where.tenant:
                self._open(node, now, (node.free_cpu_milli, node.free_memory_mib, len(node.free_gpus)))
        coming = iter(releases)
        release = next(coming, None)
        at_ms = now
        while True:
            while self._due and self._due[0][:2] <= (at_ms, _OPENS):
                self._turn(*heapq.heappop(self._due))
            while release is not None and self._instant(release, now) <= at_ms:
                self._release(release[1], at_ms)
                release = next(coming, None)
            found = next((one for one in self._together.values() if one.count >= self._count), None)
            if found is not None:
                return at_ms, found.tasks
            while self._due and self._due[0][0] <= at_ms:
                self._turn(*heapq.heappop(self._due))
            upcoming = [self._due[0][0]] if self._due else []
            if release is not None:
                upcoming.append(self._instant(release, now))
            if not upcoming:
                return None
            at_ms = max(at_ms, min(upcoming))

    def _instant(self, release: Release, now: int) -> int:
        return release[0] if release[0] > now else now + OVERDUE_MS

    def _release(self, shares: Sequence[Share], at_ms: int) -> None:
        for share in shares:
            node = self._fleet.nodes[share.node]
            if node.drained or node.removed or not self._where.allows(node) or not _is_flavour(node, self._shape):
                continue
            freed = self._freed.get(share.node)
            if freed is None:
                freed = self._freed[share.node] = [node.free_cpu_milli, node.free_memory_mib, len(node.free_gpus)]
            freed[0] += share.cpu_milli
            freed[1] += share.memory_mib
            freed[2] += len(share.gpus)
            is_idle = freed == [node.cpu_milli, node.memory_mib, node.gpus]
            if is_idle or node.tenant == self._where.tenant:
                self._open(node, at_ms, (freed[0], freed[1], freed[2]))

    def _open(self, node: Node, at_ms: int, free: tuple[int, int, int]) -> None:
        """A node has so much free from an instant on; it is open while no entry is nearer than the gang is long."""
        tasks = how_many(free, self._shape)
        if not tasks:
            return
        if not self._calendar.has(node.node):
            self._at(node).set(node.node, tasks)
            return
        for entry in self._calendar.on(node.node):
            if entry.until_ms <= at_ms:
                continue
            if entry.from_ms >= at_ms + self._length:
                self._at(node).set(node.node, tasks)
                self._plan(entry.from_ms - self._length, _CLOSES, node.node)
            else:
                self._at(node).set(node.node, 0)
                self._freed.setdefault(node.node, list(free))
                self._plan(entry.until_ms, _OPENS, node.node)
            return
        self._at(node).set(node.node, tasks)

    def _plan(self, at_ms: int, kind: int, node: str) -> None:
        self._number += 1
        heapq.heappush(self._due, (at_ms, kind, self._number, node))

    def _turn(self, at_ms: int, kind: int, _: int, name: str) -> None:
        node = self._fleet.nodes[name]
        freed = self._freed.get(name) or [node.free_cpu_milli, node.free_memory_mib, len(node.free_gpus)]
        # A node closes after the last instant at which the gang could still begin there.
        self._open(node, at_ms if kind == _OPENS else at_ms + 1, (freed[0], freed[1], freed[2]))

    def _at(self, node: Node) -> _Together:
        name = node.site if self._level is None else domain_of(node, self._level)
        return self._together.setdefault(name, _Together())


def earliest(fleet: Fleet, calendar: Calendar, releases: Sequence[Release], gang: Gang, now: int) -> Slot | None:
    """Return the earliest start of a gang if everything else ends at its limit; None where it never fits.

    `releases` are in the order of their instants. Of several nodes it takes those that are released last: those that are
    free already stay free for whoever is short. A gang that wishes to be together takes them domain by domain.
    """
    best: Slot | None = None
    for number, shape in enumerate(gang.shapes):
        found = Sweep(fleet, calendar, gang, shape).find(releases, now)
        if found is not None and (best is None or found[0] < best.at_ms):
            best = _named(fleet, gang, number, *found)
    return best


def _named(fleet: Fleet, gang: Gang, number: int, at_ms: int, tasks: dict[str, int]) -> Slot:
    names: list[str] = []
    missing, is_shared, shape = gang.nodes, False, gang.shapes[number]
    for name in _preferred(fleet, gang, tasks):
        node, fitting = fleet.nodes[name], min(missing, tasks[name])
        names.append(name)
        # A node of which it takes all GPUs, or all cores, is of no use to others.
        is_whole = fitting * shape.gpus == node.gpus if node.gpus else fitting * shape.cpu_milli == node.cpu_milli
        is_shared = is_shared or not is_whole
        missing -= fitting
        if not missing:
            break
    return Slot(number, at_ms, tuple(names), is_shared)


def _preferred(fleet: Fleet, gang: Gang, tasks: dict[str, int]) -> list[str]:
    """Return the nodes in the order in which a gang takes them: from the tightest domain that holds it, or the fewest."""
    latest = list(reversed(tasks))
    if gang.within is None:
        return latest
    domains: dict[str, list[str]] = {}
    for name in latest:
        domains.setdefault(domain_of(fleet.nodes[name], gang.within.level), []).append(name)
    sizes = {domain: sum(tasks[name] for name in names) for domain, names in domains.items()}
    holding = [domain for domain, size in sizes.items() if size >= gang.nodes]
    if holding:
        return domains[min(holding, key=lambda domain: sizes[domain])]
    return [name for domain in sorted(domains, key=lambda domain: -sizes[domain]) for name in domains[domain]]


def _is_flavour(node: Node, shape: NodeShape) -> bool:
    return shape.flavour is None or is_flavour(node.flavour, shape.flavour)


def how_many(free: tuple[int, int, int], shape: NodeShape) -> int:
    """Return how many tasks of a shape so much holds: thousandths of a core, MiB, GPUs."""
    fits = free[0] // shape.cpu_milli
    if shape.memory_mib:
        fits = min(fits, free[1] // shape.memory_mib)
    if shape.gpus:
        fits = min(fits, free[2] // shape.gpus)
    return fits
