"""The order of the queue: jobs that our faults threw back, then the capacity class, then first come, first served."""

import heapq
from collections.abc import Iterator

from eisbach.core.jobs.request import CapacityClass, NodeShape

OrderKey = tuple[int, int, int]
GroupKey = tuple[tuple[NodeShape, ...], int]
"""Jobs that ask for the same: when one does not fit, none of them does."""

_CLASS_RANK = {CapacityClass.ON_DEMAND: 0, CapacityClass.SPOT: 1}


def order_key(is_first_in_line: bool, capacity_class: CapacityClass, seq: int) -> OrderKey:
    """Return what the queue is sorted by, lowest first. `seq` is the log position of the submission."""
    return (0 if is_first_in_line else 1, _CLASS_RANK[capacity_class], seq)


class Queue:
    """Waiting jobs grouped by what they ask for, so that a cycle's cost follows the groups and not the jobs."""

    __slots__ = ("_groups", "_members")

    def __init__(self) -> None:
        self._groups: dict[GroupKey, list[tuple[OrderKey, str]]] = {}
        self._members: dict[str, tuple[OrderKey, GroupKey]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, job: str) -> bool:
        return job in self._members

    def push(self, job: str, key: OrderKey, group: GroupKey) -> None:
        """Add a job."""
        self._members[job] = (key, group)
        heapq.heappush(self._groups.setdefault(group, []), (key, job))

    def remove(self, job: str) -> None:
        """Take a job out; nothing happens where it is not in the queue. Its heap entry is dropped when met."""
        self._members.pop(job, None)

    def ahead_of(self, job: str) -> int:
        """Return how many waiting jobs stand before this one."""
        key = self._members[job][0]
        return sum(1 for other, _ in self._members.values() if other < key)

    def groups(self) -> Iterator[tuple[OrderKey, GroupKey]]:
        """Yield each group's first key in queue order; groups that ran empty are dropped."""
        firsts = []
        for group in list(self._groups):
            first = self._first_of(group)
            if first is not None:
                firsts.append((self._members[first][0], group))
        firsts.sort(key=lambda pair: pair[0])
        yield from firsts

    def _first_of(self, group: GroupKey) -> str | None:
        heap = self._groups.get(group)
        while heap and self._is_stale(heap[0]):
            heapq.heappop(heap)
        if not heap:
            self._groups.pop(group, None)
            return None
        return heap[0][1]

    def key_of(self, job: str) -> OrderKey:
        """Return a waiting job's place in the order."""
        return self._members[job][0]

    def in_order(self, group: GroupKey) -> Iterator[str]:
        """Yield the jobs of a group in order, without taking them out, at a cost that follows how many are taken."""
        heap = self._groups.get(group, [])
        frontier = [(heap[0], 0)] if heap else []
        while frontier:
            entry, at = heapq.heappop(frontier)
            for child in (2 * at + 1, 2 * at + 2):
                if child < len(heap):
                    heapq.heappush(frontier, (heap[child], child))
            if not self._is_stale(entry):
                yield entry[1]

    def _is_stale(self, entry: tuple[OrderKey, str]) -> bool:
        member = self._members.get(entry[1])
        return member is None or member[0] != entry[0]
