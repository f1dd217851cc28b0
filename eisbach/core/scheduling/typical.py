"""The usual workload: what was submitted so far, older submissions counting less. Fragmentation is measured by it (rank.py)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eisbach.core.jobs.request import NodeShape

SHAPES_MAX: Final = 256
"""Different shapes that are counted; one more, and all counts are halved and what comes once is forgotten."""
COUNT_MAX: Final = 65_536
"""Tasks that are counted before all counts are halved, so that what is usual follows what is submitted."""
LEARNT_AFTER: Final = 64
"""Tasks after which the usual workload is looked at again; later it takes a quarter of all that are counted."""
TASKS_MAX: Final = 64
"""Tasks of one gang that count: one large gang says little about what usually comes."""


NOTHING: Final[Mapping[NodeShape, int]] = MappingProxyType({})

SavedTypical = tuple[list[tuple[NodeShape, int]], list[tuple[NodeShape, int]], int]
"""Counts, what was learnt, and how many came since."""


class Typical:
    """Counts of tasks by shape, `total` of them, `learnt` as they were when last looked at, and how many came `since`."""

    __slots__ = ("_counts", "learnt", "since", "total")

    def __init__(self, counts: Mapping[NodeShape, int] = NOTHING, learnt: Mapping[NodeShape, int] = NOTHING, since: int = 0) -> None:
        self._counts = {shape: [count] for shape, count in counts.items()}
        """a list of one each: found once and counted in place, where a shape is hashed by a call in Python"""
        self.learnt = dict(learnt)
        self.total = sum(counts.values())
        self.since = since

    @property
    def counts(self) -> dict[NodeShape, int]:
        """Return the tasks of each shape that count now."""
        return {shape: count for shape, (count,) in self._counts.items()}

    def saved(self) -> SavedTypical:
        """Return all of it as plain values."""
        return list(self.counts.items()), list(self.learnt.items()), self.since

    @classmethod
    def restored(cls, saved: SavedTypical) -> "Typical":
        """Return what was saved."""
        counts, learnt, since = saved
        return cls(dict(counts), dict(learnt), since)

    def note(self, shape: NodeShape, tasks: int) -> bool:
        """Count the tasks of a job that was submitted; return whether `learnt` is another one now."""
        if not shape.gpus:
            return False
        if tasks > TASKS_MAX:
            tasks = TASKS_MAX
        count = self._counts.get(shape)
        if count is None:
            self._counts[shape] = [tasks]
        else:
            count[0] += tasks
        self.since += tasks
        self.total += tasks
        if self.total > COUNT_MAX or len(self._counts) > SHAPES_MAX:
            self._counts = {one: [count // 2] for one, count in self.counts.items() if count > 1}
            self.total = sum(self.counts.values())
        if self.since < LEARNT_AFTER or self.since * 4 < self.total:
            return False
        self.learnt, self.since = self.counts, 0
        return True
