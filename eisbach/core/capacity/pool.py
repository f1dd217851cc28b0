"""A pool's index: which of its equal nodes are idle, and which are partly taken in which way, kept up to date node by node."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from eisbach.core.capacity.fit import Kind, NodeState, free_of, how_many, idle_state
from eisbach.core.capacity.inventory import Node, state_of
from eisbach.core.capacity.share import Share
from eisbach.core.capacity.topology import SINGLE, Level, Tree
from eisbach.core.capacity.vacancies import Vacancies
from eisbach.core.jobs.request import WHOLE, NodeShape

UNDATED: Final = 1 << 62
"""The date of a node that nothing in the calendar speaks for: later than any."""

NEVER: Final = -1
"""Before every instant: until then nothing lasts."""

ANSWERS_MAX: Final = 100_000
"""States for which the fit of a shape is remembered before all are forgotten: so memory stays bounded whatever is asked."""


_Used = tuple[str, int, int, int, int, tuple[int, ...]]
"""Tenant, date, and what is free: the fields of a NodeState."""


_Gang = tuple[Sequence[Share], Sequence[Node], Mapping[int, int]]
"""Equal shares on nodes of one pool, these nodes in the same order, and their bits by leaf."""

_NOTHING: Final[Mapping[NodeState, int]] = {}


class Pool:
    """Equal nodes of one flavour at one site. Nodes that take no new work, or on which nothing is left, are in no index.

    `loose` is how many nodes have all GPUs free and yet something on them. `idle` are the idle nodes by date, `dates` those
    dates in order; `used` are masks of the numbers of partly used nodes by tenant, date and what is free on them.
    """

    __slots__ = ("_all_gpus", "_answers", "_cpu_milli", "_gangs", "_memory_mib", "_places", "_size", "_spare", "dates", "idle", "idle_state", "kind", "loose", "name", "named", "site", "tree", "used")

    def __init__(self, name: str, site: str, kind: Kind, nodes: Iterable[Node]) -> None:
        self.name, self.site, self.kind = name, site, kind
        self.idle_state = idle_state(kind)
        self._all_gpus, self._cpu_milli, self._memory_mib = (1 << kind.gpus) - 1, kind.cpu_milli, kind.memory_mib
        self.tree = Tree(list(nodes))
        self.named = frozenset(node.node for node in self.tree.nodes)
        self.idle: dict[int, Vacancies] = {}
        self._spare: Vacancies | None = None
        """vacancies that have none, for the next date that has some: where all is taken, one comes and goes all the time"""
        self.dates: list[int] = []
        self.used: dict[str, dict[int, dict[NodeState, int]]] = {}
        self.loose = 0
        self._size = 0
        self._answers: dict[int, tuple[NodeShape, dict[NodeState, int]]] = {}
        """identity of a shape -> the shape, which so stays, and how many of its tasks a node holds by what is free on it"""
        self._places = {node.node: (node, leaf, bit) for node, (leaf, bit) in zip(self.tree.nodes, self.tree.seats, strict=True)}
        self._gangs: dict[int, _Gang] = {}
        """identity of the shares of a gang that were taken here -> the shares, which so stay, and their nodes"""
        self.put(range(len(self.tree.nodes)))

    def each(self, shape: NodeShape) -> int:
        """Return how many tasks of a shape one idle node holds."""
        return self.fitting(shape, self.idle_state)

    def fitting(self, shape: NodeShape, state: NodeState) -> int:
        """Return how many tasks of a shape a node in this state holds."""
        answers = self.answers(shape)
        known = answers.get(state)
        if known is None:
            known = answers[state] = how_many(self.kind, state, shape)
            self._size += 1
        return known

    def answers(self, shape: NodeShape) -> dict[NodeState, int]:
        """Return what is known so far of how many tasks of a shape a node holds, by what is free on it."""
        known = self._answers.get(id(shape))  # of the same shapes there are few, and hashing one costs more than all this
        if known is None or known[0] is not shape:
            if self._size >= ANSWERS_MAX:
                self._answers.clear()
                self._size = 0
            known = self._answers[id(shape)] = (shape, {})
            self._size += 1
        return known[1]

    def needs_all(self, shape: NodeShape) -> bool:
        """Return whether a task takes all cores or all memory of a node, so that only an idle one holds it."""
        return shape.cpu_milli == self.kind.cpu_milli or shape.memory_mib == self.kind.memory_mib

    def needs_all_gpus(self, shape: NodeShape) -> bool:
        """Return whether a task takes all GPUs of a node."""
        return shape.gpus == self.kind.gpus > 0 and shape.gpu_milli == WHOLE and not shape.mig

    def is_all_of_a_node(self, share: Share) -> bool:
        """Return whether a share is all that a node of this pool offers."""
        _, _, cpu_milli, memory_mib, gpus, _, gpu_milli, _, _ = share
        return cpu_milli == self._cpu_milli and memory_mib == self._memory_mib and len(gpus) == self.kind[3] and gpu_milli == WHOLE

    def free(self) -> tuple[int, int, int]:
        """Return what is free on all nodes together: thousandths of a core, MiB, thousandths of a GPU."""
        idle, kind = self.free_whole(), self.kind
        cpu_milli, memory_mib, gpu_milli = idle * kind.cpu_milli, idle * kind.memory_mib, idle * kind.gpus * WHOLE
        for dates in self.used.values():
            for states in dates.values():
                for state, mask in states.items():
                    count = mask.bit_count()
                    cores, memory, gpus = free_of(state)
                    cpu_milli += count * cores
                    memory_mib += count * memory
                    gpu_milli += count * gpus
        return cpu_milli, memory_mib, gpu_milli

    def free_whole(self) -> int:
        """Return how many nodes take work now and have nothing on them."""
        return sum(self.idle[date].total for date in self.dates)

    def put(self, numbers: Iterable[int]) -> None:
        """Nodes that were in no index are counted as what they are now."""
        idle, used = self._found(numbers)
        for (date, leaf), bits in idle.items():
            self._put_idle(date, ((leaf, bits),))
        for (tenant, date, cpu_milli, memory_mib, gpus, parts), mask in used.items():
            self._put_used(tenant, date, NodeState(cpu_milli, memory_mib, gpus, parts), mask)

    def drop(self, numbers: Iterable[int]) -> None:
        """Nodes are about to change: they leave the index they are in."""
        idle, used = self._found(numbers)
        for (date, leaf), bits in idle.items():
            self._drop_idle(date, ((leaf, bits),))
        for (tenant, date, cpu_milli, memory_mib, gpus, parts), mask in used.items():
            self._drop_used(tenant, date, NodeState(cpu_milli, memory_mib, gpus, parts), mask)

    def redate(self, numbers: Sequence[int], from_ms: int | None) -> None:
        """Nodes are spoken for from another instant on than before: what is free on them stays as it is."""
        nodes, seats, of_date = self.tree.nodes, self.tree.seats, dict[int | None, dict[int, int]]()
        for number in numbers:
            node, (leaf, bit) = nodes[number], seats[number]
            leaves = of_date.get(node.dated_ms)
            if leaves is None:
                leaves = of_date[node.dated_ms] = {}
            leaves[leaf] = leaves.get(leaf, 0) | bit
            node.dated_ms = from_ms
        for before, leaves in of_date.items():
            if before != from_ms:
                self._redate(UNDATED if before is None else before, UNDATED if from_ms is None else from_ms, leaves)

    def _redate(self, before: int, date: int, leaves: Mapping[int, int]) -> None:
        """Put those of some nodes, given by their bits, that are in an index by one date into that by another."""
        if (vacancies := self.idle.get(before)) is not None:
            masks = vacancies.masks
            idle = [(leaf, bits) for leaf, named in leaves.items() if (bits := masks.get(leaf, 0) & named)]
            if idle:
                self._drop_idle(before, idle)
                self._put_idle(date, idle)
        if not self.used:
            return
        mask = self._mask(leaves)
        for tenant, dates in list(self.used.items()):
            for state, known in list(dates.get(before, _NOTHING).items()):
                if known & mask:
                    self._drop_used(tenant, before, state, known & mask)
                    self._put_used(tenant, date, state, known & mask)

    def _found(self, numbers: Iterable[int]) -> tuple[dict[tuple[int, int], int], dict[_Used, int]]:
        """Return what nodes are now: the bits of idle ones by date and leaf, the masks of others by what is free on them."""
        nodes, seats, (_, cpu_milli, memory_mib, _) = self.tree.nodes, self.tree.seats, self.kind
        all_gpus = self._all_gpus
        idle: dict[tuple[int, int], int] = {}
        used: dict[_Used, int] = {}
        for number in numbers:
            node = nodes[number]
            if not node.available or node.removed:
                continue
            date = UNDATED if node.dated_ms is None else node.dated_ms
            free = node.free_mask
            if free == all_gpus and node.free_cpu_milli == cpu_milli and node.free_memory_mib == memory_mib:
                leaf, bit = seats[number]
                idle[date, leaf] = idle.get((date, leaf), 0) | bit
            elif not _is_full(node):
                parts = node.state.parts if node.parts else ()
                key = (node.tenant, date, node.free_cpu_milli, node.free_memory_mib, free.bit_count(), parts)
                used[key] = used.get(key, 0) | 1 << number
        return idle, used

    def change_one(self, number: int, change: Callable[[Node, Share], None], share: Share) -> None:
        """Change what is free on a single node, and count it as what it is then: `drop` and `put` without their detours."""
        node = self.tree.nodes[number]
        if not node.available or node.removed:
            change(node, share)
            return
        date = UNDATED if node.dated_ms is None else node.dated_ms
        seat = (self.tree.seats[number],)
        if self.is_all_of_a_node(share):  # the node is idle before it is taken or after it is given back, and nothing is left of it else
            change(node, share)
            if node.free_cpu_milli:  # it has cores, as work is on it or was
                self._put_idle(date, seat)
            else:
                self._drop_idle(date, seat)
            return
        if self._is_idle(node):
            self._drop_idle(date, seat)
        elif not _is_full(node):
            self._drop_used(node.tenant, date, state_of(node), 1 << number)
        change(node, share)
        if self._is_idle(node):
            self._put_idle(date, seat)
        elif not _is_full(node):
            self._put_used(node.tenant, date, state_of(node), 1 << number)

    def _is_idle(self, node: Node) -> bool:
        return node.free_mask == self._all_gpus and node.free_cpu_milli == self._cpu_milli and node.free_memory_mib == self._memory_mib

    def change_alike(self, change: Callable[[Node, Share], None], shares: Sequence[Share]) -> bool:
        """Change equal nodes, each once and by an equal share of whole GPUs; False, and nothing is changed, where they are not alike.

        Equal nodes that give or get the same are equal again: one is changed, the others become what it is. That they are equal is
        seen by the index: all are among the idle ones of one date, or among those with the same free on them; those on which
        nothing is left are in none.
        """
        gang = self._gang(shares)
        if gang is None:
            return False
        _, nodes, leaves = gang
        first, share, is_dated_alike = nodes[0], shares[0], True
        if not first.available or first.removed or first.parts or share.gpu_milli != WHOLE or share.mig:
            return False
        when = UNDATED if first.dated_ms is None else first.dated_ms
        if self._is_idle(first):
            idle = self.idle[when].masks
            for leaf, bits in leaves.items():
                if idle.get(leaf, 0) & bits != bits:
                    return False
            self._drop_idle(when, leaves.items())
            self._gangs[id(shares)] = gang
        elif _is_full(first):
            dated_ms, tenant = first.dated_ms, first.tenant
            for node in nodes:
                if node.free_mask or node.free_cpu_milli or node.free_memory_mib or node.parts:
                    return False
                if not node.available or node.removed or node.tenant != tenant:
                    return False
                if node.dated_ms != dated_ms:
                    is_dated_alike = False
        else:
            before, mask = state_of(first), self._mask(leaves)
            if self.used[first.tenant][when][before] & mask != mask:
                return False
            free = first.free_mask
            for node in nodes:  # as many GPUs may be free and not the same ones
                if node.free_mask != free or node.parts:
                    return False
            self._drop_used(first.tenant, when, before, mask)
        change(first, share)
        free, cpu_milli, memory_mib, tenant = first.free_mask, first.free_cpu_milli, first.free_memory_mib, first.tenant
        for node in nodes:
            node.free_mask = free
            node.free_cpu_milli = cpu_milli
            node.free_memory_mib = memory_mib
            node.tenant = tenant
        if not is_dated_alike:
            for leaf, bits in leaves.items():
                self.put(self.tree.numbers_in(leaf, bits))
        elif self._is_idle(first):
            self._put_idle(when, leaves.items())
        elif not _is_full(first):
            self._put_used(tenant, when, state_of(first), self._mask(leaves))
        return True

    def _gang(self, shares: Sequence[Share]) -> _Gang | None:
        """Return the nodes of equal shares, each on another node of this pool; None for others. It is remembered while they are held."""
        known = self._gangs.pop(id(shares), None)  # it is noted again where idle nodes are taken: else it would stay for good
        if known is not None:
            return known
        _, names, *amounts = zip(*shares, strict=True)
        count = len(shares)
        if len(set(names)) < count or any(amount.count(amount[0]) < count for amount in amounts):
            return None
        nodes, leaves, places = list[Node](), dict[int, int](), self._places
        for name in names:
            place = places.get(name)
            if place is None:
                return None
            node, leaf, bit = place
            leaves[leaf] = leaves.get(leaf, 0) | bit
            nodes.append(node)
        return shares, nodes, leaves

    def _mask(self, leaves: Mapping[int, int]) -> int:
        """Return the bits of the numbers of nodes that are given by their bits in their leaves."""
        first = self.tree.first
        return sum([bits << first[leaf] for leaf, bits in leaves.items()])

    def vacant(self, ends_by: int) -> Vacancies | None:
        """Return the idle nodes for work that ends by an instant: those of all dates from then on, together."""
        dates = self.dates
        if len(dates) == 1:
            return self.idle[dates[0]] if ends_by <= dates[0] else None
        usable = dates[bisect_left(dates, ends_by) :]
        if len(usable) < 2:
            return self.idle[usable[0]] if usable else None
        usable.sort(key=lambda date: (-self.idle[date].total, date))
        together = self.idle[usable[0]].copy()
        for date in usable[1:]:
            together.turn(self.idle[date].masks.items())
        return together

    def vacant_for(self, ends_by: int, count: int) -> Vacancies | None:
        """Return idle nodes for work that ends by an instant: those of the soonest date of which there are so many, else all.

        None where they are too few; then nothing was put together.
        """
        total = 0
        for date in self.dates[bisect_left(self.dates, ends_by) :]:
            vacancies = self.idle[date]
            if vacancies.total >= count:
                return vacancies
            total += vacancies.total
        return self.vacant(ends_by) if total >= count else None

    def vacant_count(self, ends_by: int) -> int:
        """Return how many idle nodes there are for work that ends by an instant."""
        return sum(self.idle[date].total for date in self.dates[bisect_left(self.dates, ends_by) :])

    def first_vacant(self, ends_by: int) -> Vacancies | None:
        """Return the idle nodes whose date is the soonest from an instant on."""
        dates = self.dates
        at = bisect_left(dates, ends_by)
        return self.idle[dates[at]] if at < len(dates) else None

    def partly_used(self, tenant: str, ends_by: int) -> Iterator[tuple[int, NodeState, int]]:
        """Yield (date, what is free, mask of numbers) of nodes with something of this tenant on them, or of nobody in particular."""
        for date, states in self.used.get(tenant, {}).items():
            if date >= ends_by:
                for state, mask in states.items():
                    yield date, state, mask

    def tier_of(self, level: Level) -> int:
        """Return the tier of a level, SINGLE where each of its domains is one node."""
        return self.tree.tier_of.get(level, SINGLE)

    def width(self, tier: int) -> int:
        """Return how wide the domains of a tier are, to compare those of different pools: the place of its widest level."""
        return max((place for place, level in enumerate(Level) if self.tier_of(level) == tier), default=len(Level))

    def _put_idle(self, date: int, leaves: Iterable[tuple[int, int]]) -> None:
        vacancies = self.idle.get(date)
        if vacancies is None:
            vacancies, self._spare = self._spare or Vacancies(self.tree), None
            self.idle[date] = vacancies
            insort(self.dates, date)
        vacancies.turn(leaves)

    def _drop_idle(self, date: int, leaves: Iterable[tuple[int, int]]) -> None:
        vacancies = self.idle[date]
        vacancies.turn(leaves)
        if not vacancies.total:
            del self.idle[date]
            del self.dates[bisect_left(self.dates, date)]
            self._spare = vacancies

    def _put_used(self, tenant: str, date: int, state: NodeState, mask: int) -> None:
        if state[2] == self.idle_state[2]:
            self.loose += mask.bit_count()
        dates = self.used.get(tenant)
        if dates is None:
            dates = self.used[tenant] = {}
        states = dates.get(date)
        if states is None:
            dates[date] = {state: mask}
        else:
            states[state] = states.get(state, 0) | mask

    def _drop_used(self, tenant: str, date: int, state: NodeState, mask: int) -> None:
        if state[2] == self.idle_state[2]:
            self.loose -= mask.bit_count()
        dates = self.used[tenant]
        states = dates[date]
        rest = states[state] ^ mask
        if rest:
            states[state] = rest
            return
        del states[state]
        if not states:
            del dates[date]
            if not dates:
                del self.used[tenant]


def _is_full(node: Node) -> bool:
    """Return whether nothing is left of a node: no task fits there, as each asks for a part of a core at least."""
    return not (node.free_mask or node.free_cpu_milli or node.free_memory_mib or node.parts)
