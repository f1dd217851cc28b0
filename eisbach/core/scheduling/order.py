"""The order of the queue: the capacity class, in it the jobs that we threw back, then first come, first served.

Spot that gave way stays behind on-demand: otherwise it would take again what it has just given.
"""

import heapq
from collections.abc import Iterator, Set

from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.invariant import require

OrderKey = tuple[int, int, int]
GroupKey = tuple[tuple[NodeShape, ...], int, Where, Within | None]
"""Jobs that ask for the same and may be at the same places: when one does not fit, none of them does."""

Entry = tuple[OrderKey, str]

_CLASS_RANK = {CapacityClass.RESERVED: 0, CapacityClass.ON_DEMAND: 1, CapacityClass.SPOT: 2}
_STALE_KEPT = 16
"""Entries of removed jobs that a group keeps before it looks whether they are the larger half."""


def order_key(is_first_in_line: bool, capacity_class: CapacityClass, seq: int) -> OrderKey:
    """Return what the queue is sorted by, lowest first. `seq` is the log position of the submission."""
    return (_CLASS_RANK[capacity_class], 0 if is_first_in_line else 1, seq)


class _Group:
    """A heap of equal requests. An entry of a removed job stays as stale until it is met, or until half of all are."""

    __slots__ = ("heap", "stale")

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self.stale: set[Entry] = set()

    def push(self, entry: Entry) -> None:
        """Add an entry; one that was removed and is still there becomes valid again."""
        if entry in self.stale:
            self.stale.remove(entry)
        else:
            heapq.heappush(self.heap, entry)

    def remove(self, entry: Entry) -> None:
        """Take out an entry that is there."""
        self.stale.add(entry)
        while self.heap and self.heap[0] in self.stale:
            self.stale.remove(heapq.heappop(self.heap))
        if len(self.stale) > max(_STALE_KEPT, len(self.heap) // 2):
            self.heap = [one for one in self.heap if one not in self.stale]
            heapq.heapify(self.heap)
            self.stale.clear()

    def in_order(self) -> Iterator[Entry]:
        """Yield the entries in order, without taking them out, at a cost that follows how many are looked at."""
        heap = self.heap
        frontier = [(heap[0], 0)] if heap else []
        while frontier:
            entry, at = heapq.heappop(frontier)
            for child in (2 * at + 1, 2 * at + 2):
                if child < len(heap):
                    heapq.heappush(frontier, (heap[child], child))
            if entry not in self.stale:
                yield entry


class Queue:
    """Waiting jobs grouped by what they ask for, so that a cycle's cost follows the groups and not the jobs."""

    __slots__ = ("_groups", "_members")

    def __init__(self) -> None:
        self._groups: dict[GroupKey, _Group] = {}
        self._members: dict[str, tuple[OrderKey, GroupKey]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, job: str) -> bool:
        return job in self._members

    def push(self, job: str, key: OrderKey, group: GroupKey) -> None:
        """Add a job that is not in the queue."""
        require(job not in self._members, "a job waits at one place of the queue")
        self._members[job] = (key, group)
        self._groups.setdefault(group, _Group()).push((key, job))

    def remove(self, job: str) -> None:
        """Take a job out; nothing happens where it is not in the queue."""
        known = self._members.pop(job, None)
        if known is None:
            return
        key, name = known
        group = self._groups[name]
        group.remove((key, job))
        if not group.heap:
            del self._groups[name]

    def ahead_of(self, job: str) -> int:
        """Return how many waiting jobs stand before this one."""
        key = self._members[job][0]
        return sum(1 for other, _ in self._members.values() if other < key)

    def walk(self, closed: Set[GroupKey]) -> Iterator[tuple[str, GroupKey]]:
        """Yield all jobs in order with their groups, without taking them out.

        A group that the caller adds to `closed` meanwhile is not looked at any more.
        """
        frontier: list[tuple[Entry, int, GroupKey, Iterator[Entry]]] = []
        for number, (name, group) in enumerate(self._groups.items()):
            entries = group.in_order()
            frontier.append((next(entries), number, name, entries))
        heapq.heapify(frontier)
        while frontier:
            (_, job), number, name, entries = heapq.heappop(frontier)
            if name in closed:
                continue
            yield job, name
            following = next(entries, None) if name not in closed else None
            if following is not None:
                heapq.heappush(frontier, (following, number, name, entries))
