"""The order of the queue: the capacity class, in it the jobs that we threw back, then fair share, then age.

Spot that gave way stays behind on-demand: otherwise it would take again what it has just given. Fair share orders leaves (who
submitted), and what a leaf has waiting is sorted once, by a key that never changes: so the order of 100,000 jobs follows
usage without being sorted again.
"""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import chain, islice
from operator import itemgetter
from typing import Final, Protocol

from eisbach.core.capacity.search import Asked
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.scheduling.policy import Order, Policy
from eisbach.core.vocabulary.invariant import BrokenInvariant

OrderKey = tuple[int, int, int]
Rank = tuple[int | str, ...]
Entry = tuple[int, int, str, int]
"""When it is served as if it came then, log position, job, and how long it may hold its nodes."""

_CLASS_RANK: Final = {CapacityClass.RESERVED: 0, CapacityClass.ON_DEMAND: 1, CapacityClass.SPOT: 2}
_FIRST_COME: Final = Order.FIRST_COME  # a class of words is asked for one by a call in Python each time
_BLOCK: Final = 128
"""Entries of a block: what one look at the shortest of them may skip."""
ANY_LENGTH: Final = 1 << 62
UNASKED_MAX: Final = 1_024
"""Requests that nobody waits with and that are kept beyond twice those that somebody does: the same is soon asked for again."""


Asks = tuple[tuple[NodeShape, ...], int, Where, Within | None, str, bool]
"""Shapes, nodes, where, how near, inside which booking, and whether as spot."""


class Request(Asked):
    """What makes waiting jobs interchangeable for the question whether they fit, but for their length.

    A queue has one for all jobs that ask for the same (`Queue.request`), so it is told from others by being another one:
    hashing what is asked for costs more than most of what is done with it.
    """

    __slots__ = ("booking", "is_known", "is_spot")

    def __init__(
        self,
        shapes: tuple[NodeShape, ...],
        nodes: int,
        where: Where,
        within: Within | None = None,
        booking: str = "",
        is_spot: bool = False,
    ) -> None:
        super().__init__(shapes, nodes, where, within)
        self.booking, self.is_spot = booking, is_spot
        self.is_known = True
        """whether a queue still gives it to those who ask for the same"""


class Ranks(Protocol):
    """What the order asks of fair share: leaves sorted by what they had for their weight, lowest first."""

    def rank(self, leaf: str) -> Rank:
        """Return what leaves are sorted by."""
        ...


def order_key(is_first_in_line: bool, capacity_class: CapacityClass, seq: int) -> OrderKey:
    """Return what jobs are sorted by where nothing but their class and their age counts. `seq` is the log position."""
    return (_CLASS_RANK[capacity_class], 0 if is_first_in_line else 1, seq)


def served_as_of(policy: Policy, submitted_ms: int, expected_ms: int) -> int:
    """Return the instant as of which a job is served: later by a part of what it is expected to run.

    A long job waits behind shorter ones that came a little later, but never behind those that came much later: nothing starves.
    """
    if policy.order is _FIRST_COME:
        return 0
    return submitted_ms + expected_ms * policy.runtime_weight_permille // 1000


class Line:
    """Waiting jobs that ask for the same, in order, in blocks that know their shortest job; `shortest` is that of all.

    There is always one; `first` is the one that stands before all others, `count` how many they are.
    """

    __slots__ = ("_blocks", "_firsts", "_shortest", "count", "first", "request", "shortest")

    def __init__(self, request: Request, entry: Entry) -> None:
        self.request = request
        self.first, self.shortest, self.count = entry, entry[3], 1
        self._blocks = [[entry]]
        self._firsts = [entry]
        self._shortest = [entry[3]]

    def add(self, entry: Entry) -> None:
        """Add an entry at its place."""
        length = entry[3]
        self.count += 1
        if length < self.shortest:
            self.shortest = length
        if entry < self.first:
            self.first = entry
        at = max(0, bisect_right(self._firsts, entry) - 1)
        block = self._blocks[at]
        insort(block, entry)
        if len(block) > _BLOCK:
            half = len(block) // 2
            self._blocks[at : at + 1] = [block[:half], block[half:]]
            self._firsts[at : at + 1] = [block[0], block[half]]
            self._shortest[at : at + 1] = [_shortest_of(block[:half]), _shortest_of(block[half:])]
            return
        self._firsts[at] = block[0]
        if length < self._shortest[at]:
            self._shortest[at] = length

    def remove(self, entry: Entry) -> None:
        """Take out an entry that is there, and not the only one."""
        self.count -= 1
        at = bisect_right(self._firsts, entry) - 1
        block, length = self._blocks[at], entry[3]
        if len(block) > 1:
            del block[bisect_left(block, entry)]
            self._firsts[at] = block[0]
            if self._shortest[at] == length:
                self._shortest[at] = _shortest_of(block)
        else:
            del self._blocks[at], self._firsts[at], self._shortest[at]
        if length == self.shortest:
            self.shortest = min(self._shortest)
        self.first = self._firsts[0]

    def within(self, longest: Mapping[Request, int], after: int = 0) -> Iterator[Entry]:
        """Yield the entries in order whose length is at most what `longest` says of the request, as it stands meanwhile.

        The first ones, so many as `after` says, are left out; they are in the first block.
        """
        request = self.request
        for block, shortest in zip(self._blocks, self._shortest, strict=True):
            skipped, after = after, 0
            if shortest > longest.get(request, ANY_LENGTH):
                continue
            at_most = longest.get(request, ANY_LENGTH)
            for entry in islice(block, skipped, None) if skipped else block:
                if entry[3] <= at_most:
                    yield entry
                    at_most = longest.get(request, ANY_LENGTH)


_length_of: Final = itemgetter(3)


def _shortest_of(block: list[Entry]) -> int:
    shortest: int = min(map(_length_of, block))
    return shortest


_NONE: Final[frozenset[Request]] = frozenset()
Tier = tuple[int, int]
"""Rank of the class; 0 for jobs that are first in line, else 1."""
Member = tuple[Tier, str, Request, Entry]
"""A waiting job: its tier, its leaf, what it asks for, its entry."""


class _Leaf:
    """What one leaf has waiting in a tier: its lines, and all their entries in one order."""

    __slots__ = ("_order", "lines")

    def __init__(self) -> None:
        self.lines: dict[Request, Line] = {}
        self._order: list[Entry] = []

    @property
    def count(self) -> int:
        """Return how many jobs wait in its lines."""
        return len(self._order)

    def add(self, request: Request, entry: Entry) -> None:
        """Add an entry to the line of its request."""
        line = self.lines.get(request)
        if line is None:
            self.lines[request] = Line(request, entry)
        else:
            line.add(entry)
        insort(self._order, entry)

    def remove(self, request: Request, entry: Entry) -> None:
        """Take an entry out of the line of its request."""
        line = self.lines[request]
        if line.count > 1:
            line.remove(entry)
        else:
            del self.lines[request]
        del self._order[bisect_left(self._order, entry)]

    def before(self, entry: Entry) -> int:
        """Return how many entries stand before this one."""
        return bisect_left(self._order, entry)


class Queue:
    """Waiting jobs by class, leaf and request, so that a cycle's cost follows the requests and not the jobs.

    Whoever joins stands aside until somebody asks for the order of all: most jobs start at once and never stand in a line.
    """

    __slots__ = ("_aside", "_requests", "_tiers", "_waiting", "members")

    def __init__(self) -> None:
        self._requests: dict[Asks, Request] = {}
        self._waiting: dict[Request, int] = {}
        """request -> how many wait with it"""
        self._tiers: dict[Tier, dict[str, _Leaf]] = {}
        self.members: dict[str, Member] = {}
        """all who wait; for looking, never for changing"""
        self._aside: dict[str, Member] = {}
        """those members that stand in no line of `_tiers` yet"""

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, job: str) -> bool:
        return job in self.members

    def request(self, asks: Asks) -> Request:
        """Return the request of all jobs that ask for this."""
        known = self._requests.get(asks)
        if known is None:
            if len(self._requests) >= UNASKED_MAX + 2 * len(self._waiting):
                self._forget_unasked()
            known = self._requests[asks] = Request(*asks)
        return known

    def _forget_unasked(self) -> None:
        asked: dict[Asks, Request] = {}
        for what, one in self._requests.items():
            if one in self._waiting:
                asked[what] = one
            else:
                one.is_known = False
        self._requests = asked

    def push(self, job: str, key: OrderKey, request: Request, leaf: str = "", served_ms: int = 0, length_ms: int = 0) -> None:
        """Add a job that is not in the queue."""
        if job in self.members:
            raise BrokenInvariant("a job waits at one place of the queue")
        self._waiting[request] = self._waiting.get(request, 0) + 1
        self.members[job] = self._aside[job] = (key[:2], leaf, request, (served_ms, key[2], job, length_ms))

    def remove(self, job: str) -> None:
        """Take a job out; nothing happens where it is not in the queue."""
        known = self.members.pop(job, None)
        if known is None:
            return
        tier, leaf, request, entry = known
        left = self._waiting[request] - 1
        if left:
            self._waiting[request] = left
        else:
            del self._waiting[request]
        if self._aside.pop(job, None) is not None:
            return
        leaves = self._tiers[tier]
        found = leaves[leaf]
        found.remove(request, entry)
        if not found.count:
            del leaves[leaf]
            if not leaves:
                del self._tiers[tier]

    def _lined_up(self) -> dict[Tier, dict[str, _Leaf]]:
        """Return tier -> leaf -> its lines, with everybody in his place."""
        for tier, leaf, request, entry in self._aside.values():
            leaves = self._tiers.get(tier)
            if leaves is None:
                leaves = self._tiers[tier] = {}
            found = leaves.get(leaf)
            if found is None:
                found = leaves[leaf] = _Leaf()
            found.add(request, entry)
        self._aside.clear()
        return self._tiers

    def requests(self) -> Iterable[Request]:
        """Return what is asked for, each once."""
        return self._waiting.keys()

    def precedes(self, job: str, other: str, ranks: Ranks) -> bool:
        """Return whether a waiting job stands before another one."""
        (tier, leaf, _, entry), (tier2, leaf2, _, entry2) = self.members[job], self.members[other]
        if tier != tier2:
            return tier < tier2
        if leaf != leaf2:
            return ranks.rank(leaf) < ranks.rank(leaf2)
        return entry < entry2

    def leaves(self) -> Iterator[str]:
        """Yield whose jobs wait, each as often as there are tiers with him."""
        for leaves in self._lined_up().values():
            yield from leaves

    def ahead_of(self, job: str, ranks: Ranks) -> int:
        """Return how many waiting jobs stand before this one, as leaves are ranked now."""
        tiers, (tier, leaf, _, entry) = self._lined_up(), self.members[job]
        rank, ahead = ranks.rank(leaf), tiers[tier][leaf].before(entry)
        for other, leaves in tiers.items():
            if other < tier:
                ahead += sum(one.count for one in leaves.values())
            elif other == tier:
                ahead += sum(one.count for name, one in leaves.items() if name != leaf and ranks.rank(name) < rank)
        return ahead

    def in_order(self, jobs: list[str], ranks: Ranks) -> Iterator[tuple[str, Request]]:
        """Yield some of the waiting jobs, in the order of the queue, with their requests."""
        known = [(self.members[job], job) for job in jobs if job in self.members]
        if len(known) > 1:
            known.sort(key=lambda one: (one[0][0], ranks.rank(one[0][1]), one[0][3]))
        for (_, _, request, _), job in known:
            yield job, request

    def walk(
        self, longest: Mapping[Request, int], ranks: Ranks, closed: Set[Request] = _NONE
    ) -> Iterator[tuple[str, Request]]:
        """Yield all jobs in order with their requests, without taking them out.

        `longest` says of a request how long a job may be that is still worth a look, and `closed` are requests of which no job
        is; the caller lowers the one and fills the other as it goes. Leaves
        are ranked again after each job, as those rank lower for which something starts.
        """
        tiers = self._lined_up()
        if len(tiers) == 1:
            (leaves,) = tiers.values()
            return _of_tier(leaves, longest, ranks, closed)
        return chain.from_iterable([_of_tier(tiers[tier], longest, ranks, closed) for tier in sorted(tiers)])


def _of_tier(
    leaves: dict[str, _Leaf], longest: Mapping[Request, int], ranks: Ranks, closed: Set[Request]
) -> Iterator[tuple[str, Request]]:
    if len(leaves) == 1:
        (leaf,) = leaves.values()
        return _merged(leaf.lines, longest, closed)
    return _by_rank(leaves, longest, closed, ranks.rank)


def _by_rank(
    leaves: dict[str, _Leaf], longest: Mapping[Request, int], closed: Set[Request], rank: Callable[[str], Rank]
) -> Iterator[tuple[str, Request]]:
    frontier = [(rank(leaf), number, leaf, _merged(found.lines, longest, closed)) for number, (leaf, found) in enumerate(leaves.items())]
    heapq.heapify(frontier)
    while frontier:
        ranked, number, leaf, jobs = frontier[0]
        now_ranked = rank(leaf)
        if now_ranked != ranked:  # something of a leaf beside it has started meanwhile
            heapq.heapreplace(frontier, (now_ranked, number, leaf, jobs))
            continue
        found = next(jobs, None)
        if found is None:
            heapq.heappop(frontier)
            continue
        yield found


def _merged(
    lines: dict[Request, Line], longest: Mapping[Request, int], closed: Set[Request]
) -> Iterator[tuple[str, Request]]:
    if len(lines) == 1:
        ((request, line),) = lines.items()
        for entry in line.within(longest):
            yield entry[2], request
        return
    # Of a line only the first job is looked at before its turn comes: often nothing more of it is worth a look then.
    open_lines = [lines[request] for request in lines.keys() - closed] if closed else lines.values()  # in any order: a heap puts them into theirs
    frontier: list[tuple[Entry, Iterator[Entry] | None, Line]] = [
        (line.first, None, line) for line in open_lines if not longest or line.shortest <= longest.get(line.request, ANY_LENGTH)
    ]
    heapq.heapify(frontier)
    while frontier:
        entry, entries, line = frontier[0]
        request = line.request
        if entry[3] <= longest.get(request, ANY_LENGTH):
            yield entry[2], request
        following: Entry | None = None
        if line.count > 1 and line.shortest <= longest.get(request, ANY_LENGTH):
            if entries is None:
                entries = line.within(longest, 1)
            following = next(entries, None)
        if following is None:
            heapq.heappop(frontier)
        else:
            heapq.heapreplace(frontier, (following, entries, line))
