"""When a gang can start at the earliest, and where, if everything that runs ends at its limit: nothing here changes anything.

The start that is kept for a gang so is EASY backfill's shadow time (D. Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995;
A. Mu'alem and D. Feitelson, TPDS 12(6), 2001), with named nodes in place of a count, around every entry of the calendar.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from eisbach.core.capacity.calendar import Entry, View
from eisbach.core.capacity.fit import how_many
from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.holding import give_to
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.pool import UNDATED, Pool
from eisbach.core.capacity.topology import Level, domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.quantities import MINUTE_MS

OVERDUE_MS: Final = MINUTE_MS
"""What should be over by now is expected to end within this."""

Release = tuple[int, Sequence[Share]]
_OPENS: Final = 0
_CLOSES: Final = 1
_MANY: Final = 4
"""Nodes of a gang that are sooner released together than one by one."""


class Gang(NamedTuple):
    """What looks for a start: `nodes` tasks of one of these shapes, for `length_ms`."""

    shapes: tuple[NodeShape, ...]
    nodes: int
    length_ms: int
    where: Where = ANYWHERE
    within: Within | None = None


class Slot(NamedTuple):
    """A start that is possible: which of the acceptable shapes, when, and on which nodes."""

    shape: int
    at_ms: int
    nodes: tuple[str, ...]
    is_shared: bool
    """whether it leaves something of a node to others"""


class _Together:
    """What is open of one site or domain: tasks that nodes hold from now on, those that opened last at the end.

    Idle nodes that nothing in the calendar speaks for are open from the beginning and stay so: they are only counted.
    """

    __slots__ = ("count", "idle", "tasks")

    def __init__(self) -> None:
        self.tasks: dict[str, int] = {}
        self.idle: list[tuple[Pool, int, Mapping[int, int]]] = []
        """pools, how many tasks an idle node of them holds, and their bits by leaf"""
        self.count = 0

    def set(self, node: str, tasks: int) -> None:
        """Say how many tasks a node holds now."""
        self.count += tasks - self.tasks.pop(node, 0)
        if tasks:
            self.tasks[node] = tasks

    def set_all(self, nodes: Sequence[str], tasks: int) -> None:
        """Say how many tasks each of several nodes holds that held none."""
        self.count += tasks * len(nodes)
        self.tasks.update(dict.fromkeys(nodes, tasks))

    def in_order(self) -> Iterator[tuple[str, int]]:
        """Yield nodes with their tasks, those that opened last first and those that were always free in the end."""
        yield from reversed(self.tasks.items())
        of_pools: dict[Pool, tuple[int, dict[int, int]]] = {}
        for pool, each, masks in self.idle:
            _, leaves = of_pools.setdefault(pool, (each, {}))
            for leaf, bits in masks.items():
                leaves[leaf] = leaves.get(leaf, 0) | bits
        for pool, (each, leaves) in of_pools.items():
            for leaf in sorted(leaves, reverse=True):
                for number in reversed(pool.tree.numbers_in(leaf, leaves[leaf])):
                    yield pool.tree.nodes[number].node, each


class Sweep:
    """One look along time for a shape: nodes open when they are released and close when their next entry is too near."""

    __slots__ = (
        "_count", "_due", "_each", "_fleet", "_freed", "_length", "_level", "_number", "_shape", "_tasks", "_together", "_view", "_where",
    )  # fmt: skip

    def __init__(self, fleet: Fleet, view: View, gang: Gang, shape: NodeShape) -> None:
        self._fleet, self._view, self._shape = fleet, view, shape
        self._count, self._where, self._length = gang.nodes, gang.where, gang.length_ms
        self._level = gang.within.level if gang.within is not None and gang.within.is_required else None
        self._each = {pool: pool.each(shape) for pool in fleet.pools_for(shape, gang.where)}
        self._together: dict[str, _Together] = {}
        self._freed: dict[str, Node] = {}
        self._tasks: dict[str, int] = {}
        self._due: list[tuple[int, int, int, Sequence[str]]] = []
        self._number = 0

    def find(self, releases: Iterable[Release], now: int) -> tuple[int, _Together] | None:
        """Return the earliest instant at which the gang fits and what is open of its site or domain then.

        `releases` are in the order of their instants.
        """
        for pool, each in self._each.items():
            self._open_free(pool, each, now)
        coming = iter(releases)
        release = next(coming, None)
        at_ms, due = now, self._due
        while True:
            while due and due[0][:2] <= (at_ms, _OPENS):
                self._turn(*heapq.heappop(due))
            over: list[Sequence[Share]] = []
            while release is not None and (release[0] if release[0] > now else now + OVERDUE_MS) <= at_ms:
                over.append(release[1])
                release = next(coming, None)
            self._release_all(over, at_ms)
            for together in self._together.values():
                if together.count >= self._count:
                    return at_ms, together
            while due and due[0][0] <= at_ms:
                self._turn(*heapq.heappop(due))
            if release is not None:
                released_ms = release[0] if release[0] > now else now + OVERDUE_MS
                at_ms = max(at_ms, min(released_ms, due[0][0]) if due else released_ms)
            elif due:
                at_ms = max(at_ms, due[0][0])
            else:
                return None

    def _open_free(self, pool: Pool, each: int, now: int) -> None:
        """Open what has room now. Idle nodes that nothing ever takes away are counted for their site, and not one by one."""
        view, is_single_site = self._view, self._level is None and not self._view.shared
        for date in pool.dates:  # in order, as all that follows: the order in which nodes came to be idle a restart forgets
            vacancies = pool.idle[date]
            if is_single_site and (date == UNDATED or view.is_empty):
                self._count_free(pool, each, vacancies.masks, vacancies.total)
            elif is_single_site:
                self._open_dated(pool, each, vacancies.masks, now)
            else:
                for leaf, bits in sorted(vacancies.masks.items()):
                    for number in pool.tree.numbers_in(leaf, bits):
                        self._open(pool.tree.nodes[number], now, each)
        for _, state, mask in sorted(pool.partly_used(self._where.tenant, 0)):
            tasks = how_many(pool.kind, state, self._shape)
            while tasks and mask:
                low = mask & -mask
                self._open(pool.tree.nodes[low.bit_length() - 1], now, tasks)
                mask ^= low

    def _open_dated(self, pool: Pool, each: int, masks: Mapping[int, int], now: int) -> None:
        """Open idle nodes of a pool that are dated: those that nothing in view speaks for are as free as others."""
        numbers = [number for leaf, bits in sorted(masks.items()) for number in pool.tree.numbers_in(leaf, bits)]
        nodes, seats, at = pool.tree.nodes, pool.tree.seats, 0
        for entry, names in self._view.by_first_entry([nodes[number].node for number in numbers], now):
            if entry is not None:
                self._open_until(entry, names, now, each)
            else:
                free: dict[int, int] = {}
                for number in numbers[at : at + len(names)]:
                    leaf, bit = seats[number]
                    free[leaf] = free.get(leaf, 0) | bit
                self._count_free(pool, each, free, len(names))
            at += len(names)

    def _count_free(self, pool: Pool, each: int, masks: Mapping[int, int], count: int) -> None:
        together = self._together.setdefault(pool.site, _Together())
        together.count += count * each
        together.idle.append((pool, each, masks))

    def _release_all(self, over: Sequence[Sequence[Share]], at_ms: int) -> None:
        """Release what ends at one instant, as one gang where all of it holds whole nodes."""
        seat = self._fleet.seat_of(over[0][0].node) if len(over) > 1 else None
        if seat is not None and all(seat[0].is_all_of_a_node(shares[0]) for shares in over):
            self._release([share for shares in over for share in shares], at_ms)
        else:
            for shares in over:
                self._release(shares, at_ms)

    def _release(self, shares: Sequence[Share], at_ms: int) -> None:
        if len(shares) < _MANY or self._level is not None or not self._release_whole(shares, at_ms):
            self._release_each(shares, at_ms)

    def _release_whole(self, shares: Sequence[Share], at_ms: int) -> bool:
        """Release a gang that holds all of each of its nodes, which are alike; False, and nothing is done, for others."""
        seat, fleet = self._fleet.seat_of(shares[0].node), self._fleet
        each = self._each.get(seat[0], 0) if seat is not None else 0
        if seat is None or not each or not seat[0].is_all_of_a_node(shares[0]):
            return False
        pool, names = seat[0], [share.node for share in shares]
        if not pool.named.issuperset(names) or not fleet.closed.isdisjoint(names):
            return False
        return self._open_alike(names, at_ms, each)

    def _open_alike(self, names: Sequence[str], at_ms: int, each: int) -> bool:
        """Open nodes of one site that hold equally many tasks, as `_open` does; False, and nothing is done, where some are open."""
        together = self._at(self._fleet.nodes[names[0]])
        if not together.tasks.keys().isdisjoint(names):
            return False
        for entry, nodes in self._view.by_first_entry(names, at_ms):
            if entry is None:
                together.set_all(nodes, each)
            else:
                self._open_until(entry, nodes, at_ms, each)
        return True

    def _open_until(self, entry: Entry, names: Sequence[str], at_ms: int, each: int) -> None:
        """Nodes of one site, none of which is open, hold equally many tasks from an instant on: as long as this entry allows."""
        self._tasks.update(dict.fromkeys(names, each))
        if entry.from_ms >= at_ms + self._length:
            self._at(self._fleet.nodes[names[0]]).set_all(names, each)
            self._plan(entry.from_ms - self._length, _CLOSES, names)
        else:
            self._plan(entry.until_ms, _OPENS, names)

    def _release_each(self, shares: Sequence[Share], at_ms: int) -> None:
        nodes, freed, each_of, seat_of = self._fleet.nodes, self._freed, self._each, self._fleet.seat_of
        for share in shares:
            name = share.node
            node, seat = nodes[name], seat_of(name)
            each = each_of.get(seat[0], 0) if seat is not None else 0
            if not each or not node.available:
                continue
            left = freed.get(name)
            if left is None:
                is_idle = (
                    node.free_cpu_milli + share.cpu_milli == node.cpu_milli
                    and node.free_memory_mib + share.memory_mib == node.memory_mib
                    and node.free_mask.bit_count() + len(share.gpus) == node.gpus
                )
                if is_idle:  # nothing was on it but this share
                    self._open(node, at_ms, each)
                    continue
                left = freed[name] = replace(node, parts=dict(node.parts))
            give_to(left, share)
            if left.is_idle or left.tenant == self._where.tenant:
                self._open(node, at_ms, how_many(left.kind, left.state, self._shape))

    def _open(self, node: Node, at_ms: int, tasks: int) -> None:
        """A node holds so many tasks from an instant on; it is open while no entry is nearer than the gang is long."""
        if not tasks:
            return
        name = node.node
        together = self._together.get(node.site if self._level is None else domain_of(node, self._level))
        if together is None:
            together = self._at(node)
        entry = self._view.first_after(name, at_ms)
        if entry is None:
            together.set(name, tasks)
            return
        self._tasks[name] = tasks
        if entry.from_ms >= at_ms + self._length:
            together.set(name, tasks)
            self._plan(entry.from_ms - self._length, _CLOSES, (name,))
        else:
            together.set(name, 0)
            self._plan(entry.until_ms, _OPENS, (name,))

    def _plan(self, at_ms: int, kind: int, nodes: Sequence[str]) -> None:
        self._number += 1
        heapq.heappush(self._due, (at_ms, kind, self._number, nodes))

    def _turn(self, at_ms: int, kind: int, _: int, nodes: Sequence[str]) -> None:
        tasks = self._tasks
        if kind == _OPENS and len(nodes) >= _MANY:  # they were released together, and each holds what all of them did
            each = tasks[nodes[0]]
            if all(tasks[name] == each for name in nodes) and self._open_alike(nodes, at_ms, each):
                return
        # A node closes after the last instant at which the gang could still begin there.
        for name in nodes:
            self._open(self._fleet.nodes[name], at_ms if kind == _OPENS else at_ms + 1, tasks[name])

    def _at(self, node: Node) -> _Together:
        name = node.site if self._level is None else domain_of(node, self._level)
        found = self._together.get(name)
        if found is None:
            found = self._together[name] = _Together()
        return found


def earliest(fleet: Fleet, view: View, releases: Iterable[Release], gang: Gang, now: int) -> Slot | None:
    """Return the earliest start of a gang if everything else ends at its limit; None where it never fits.

    `releases` are in the order of their instants. Of several nodes it takes those that are released last: those that are
    free already stay free for whoever is short. A gang that wishes to be together takes them domain by domain.
    """
    found = _soonest(fleet, view, releases, gang, now)
    return _named(fleet, gang, *found) if found is not None else None


def earliest_ms(fleet: Fleet, view: View, releases: Iterable[Release], gang: Gang, now: int) -> int | None:
    """Return the instant of the earliest start alone: nobody asks on which nodes."""
    found = _soonest(fleet, view, releases, gang, now)
    return found[1] if found is not None else None


def _soonest(fleet: Fleet, view: View, releases: Iterable[Release], gang: Gang, now: int) -> tuple[int, int, _Together] | None:
    """Return the shape with which a gang starts at the earliest, when, and what is open of its site or domain then."""
    best: tuple[int, int, _Together] | None = None
    again = releases if len(gang.shapes) == 1 else list(releases)
    for number, shape in enumerate(gang.shapes):
        found = Sweep(fleet, view, gang, shape).find(again, now)
        if found is not None and (best is None or found[0] < best[1]):
            best = (number, *found)
    return best


def _named(fleet: Fleet, gang: Gang, number: int, at_ms: int, together: _Together) -> Slot:
    names: list[str] = []
    missing, is_shared, shape = gang.nodes, False, gang.shapes[number]
    pools = fleet.pools_for(shape, gang.where)
    sole = pools[0] if len(pools) == 1 else None
    wholly: dict[tuple[Pool, int], bool] = {}
    for name, tasks in together.in_order() if gang.within is None else _nearest(fleet, gang, gang.within.level, together):
        fitting = tasks if tasks < missing else missing
        names.append(name)
        if not is_shared:
            pool = sole or _pool_of(fleet, name)
            is_whole = wholly.get((pool, fitting))
            if is_whole is None:
                is_whole = wholly[pool, fitting] = _is_whole(pool, shape, fitting)
            is_shared = not is_whole
        missing -= fitting
        if not missing:
            break
    return Slot(number, at_ms, tuple(names), is_shared)


def _pool_of(fleet: Fleet, node: str) -> Pool:
    seat = fleet.seat_of(node)
    assert seat is not None, "a node that was found stands in an index"
    return seat[0]


def _is_whole(pool: Pool, shape: NodeShape, tasks: int) -> bool:
    """Return whether so many tasks take all GPUs of a node, or all cores of one without: it is of no use to others then."""
    _, cpu_milli, _, gpus = pool.kind
    return tasks * shape.gpus * shape.gpu_milli == gpus * WHOLE if gpus else tasks * shape.cpu_milli == cpu_milli


def _nearest(fleet: Fleet, gang: Gang, level: Level, together: _Together) -> Iterator[tuple[str, int]]:
    """Yield nodes as a gang takes them that wishes to be together: of the tightest domain that holds it, or of the fewest."""
    domains: dict[str, list[tuple[str, int]]] = {}
    domain_of_node = fleet.domains(level)
    for one in together.in_order():
        domain = domain_of_node[one[0]]
        known = domains.get(domain)
        if known is None:
            domains[domain] = [one]
        else:
            known.append(one)
    sizes = {domain: sum(tasks for _, tasks in nodes) for domain, nodes in domains.items()}
    holding = [domain for domain, size in sizes.items() if size >= gang.nodes]
    in_turn = [min(holding, key=sizes.__getitem__)] if holding else sorted(domains, key=lambda domain: -sizes[domain])
    for domain in in_turn:
        yield from domains[domain]
