"""The usual workload: what was submitted so far, older submissions counting less. Fragmentation is measured by it (rank.py)."""

from dataclasses import dataclass, field
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


SavedTypical = tuple[list[tuple[NodeShape, int]], list[tuple[NodeShape, int]], int]
"""Counts, what was learnt, and how many came since."""


@dataclass(slots=True)
class Typical:
    """Counts of tasks by shape, `total` of them, `learnt` as they were when last looked at, and how many came `since`."""

    counts: dict[NodeShape, int] = field(default_factory=dict)
    learnt: dict[NodeShape, int] = field(default_factory=dict)
    total: int = 0
    since: int = 0

    def saved(self) -> SavedTypical:
        """Return all of it as plain values."""
        return list(self.counts.items()), list(self.learnt.items()), self.since

    @classmethod
    def restored(cls, saved: SavedTypical) -> "Typical":
        """Return what was saved."""
        counts, learnt, since = saved
        return cls(dict(counts), dict(learnt), sum(count for _, count in counts), since)

    def note(self, shape: NodeShape, tasks: int) -> bool:
        """Count the tasks of a job that was submitted; return whether `learnt` is another one now."""
        if not shape.gpus:
            return False
        counts = self.counts
        if tasks > TASKS_MAX:
            tasks = TASKS_MAX
        counts[shape] = counts.get(shape, 0) + tasks
        self.since += tasks
        self.total += tasks
        if self.total > COUNT_MAX or len(counts) > SHAPES_MAX:
            self.counts = {one: count // 2 for one, count in counts.items() if count > 1}
            self.total = sum(self.counts.values())
        if self.since < LEARNT_AFTER or self.since * 4 < self.total:
            return False
        self.learnt, self.since = dict(self.counts), 0
        return True
