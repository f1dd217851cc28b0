"""Stranded GPUs: free, and of no use to those who ask for some. One definition for the report and for the twin.

For a node n and tasks m that come w(m) times: stranded(n) = sum over m of w(m) x max(0, free(n) - usable(n, m)) / sum over m of w(m), in
thousandths of a GPU, where usable(n, m) is what as many tasks m take as fit at once, and only tasks count that accept the node's flavour.
The tasks are those that wait; where nobody waits for a GPU, those that run.

Source: Q. Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
ATC 2023, section 3: what is free on a node is a fragment for a task that cannot have it, and the fragments of all tasks are
added up, weighed by how often each comes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.fit import Kind, NodeState, how_many, left_milli
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.pool import Pool
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import WHOLE, NodeShape

WAITING: Final = "waiting"
RUNNING: Final = "running"
NOTHING: Final = "nothing"


def tasks_asked(state: SchedulerState, jobs_max: int | None = None) -> tuple[str, Counter[NodeShape]]:
    """Return whose tasks count and how often each comes: a gang's as often as it has nodes.

    `jobs_max` bounds the jobs that are looked at, oldest first.
    """
    jobs_there = state.jobs.values() if len(state.jobs) > len(state.holding) else ()  # whoever does not wait holds shares
    waiting = (job for job in jobs_there if job.state is JobState.WAITING)
    for said, jobs in ((WAITING, waiting), (RUNNING, iter(state.holding.values()))):
        tasks = _tasks(islice(jobs, jobs_max))
        if tasks:
            return said, tasks
    return NOTHING, Counter()


def _tasks(jobs: Iterable[ActiveJob]) -> Counter[NodeShape]:
    # Equal shapes of the state are one object nearly always: a shape is hashed once, not for each of thousands of jobs.
    met: dict[int, NodeShape] = {}
    times_of: dict[int, int] = {}
    for job in jobs:
        shape = job.shapes[job.shape]
        name = id(shape)
        if name in met:
            times_of[name] += job.nodes
        elif shape.gpus:
            met[name], times_of[name] = shape, job.nodes
    tasks: Counter[NodeShape] = Counter()
    for name, shape in met.items():
        tasks[shape] += times_of[name]
    return tasks


class Stranded:
    """What of a node is stranded for these tasks: worked out once for equal nodes."""

    def __init__(self, tasks: Mapping[NodeShape, int]) -> None:
        self._tasks = tasks
        self._known: dict[tuple[Kind, NodeState], int] = {}
        self._asked: dict[str, tuple[list[tuple[NodeShape, int]], int]] = {}

    def of(self, node: Node) -> int:
        """Return the thousandths of its free GPUs that are stranded; 0 where nobody asks for such GPUs."""
        return self._of(node.kind, node.state)

    def in_pool(self, pool: Pool) -> int:
        """Return the same of all nodes of a pool that take work, from its index: equal nodes are counted and not looked at."""
        found = pool.free_whole() * self._of(pool.kind, pool.idle_state)
        for dates in pool.used.values():
            for states in dates.values():
                for state, mask in states.items():
                    found += mask.bit_count() * self._of(pool.kind, state)
        return found

    def _of(self, kind: Kind, state: NodeState) -> int:
        if not state.gpus and not state.parts:
            return 0
        known = self._known.get((kind, state))
        if known is None:
            known = self._known[kind, state] = self._lost(kind, state)
        return known

    def _lost(self, kind: Kind, state: NodeState) -> int:
        free_milli = state.gpus * WHOLE + sum(left_milli(kind.flavour, left) for left in state.parts)
        asked, times = self._asked_of(kind.flavour)
        lost = sum(often * max(0, free_milli - _usable(kind, state, shape)) for shape, often in asked)
        return lost // times if times else 0

    def _asked_of(self, flavour: str) -> tuple[list[tuple[NodeShape, int]], int]:
        known = self._asked.get(flavour)
        if known is None:
            asked = [one for one in self._tasks.items() if one[0].flavour is None or is_flavour(flavour, one[0].flavour)]
            known = self._asked[flavour] = (asked, sum(often for _, often in asked))
        return known


def _usable(kind: Kind, state: NodeState, shape: NodeShape) -> int:
    return how_many(kind, state, shape) * shape.gpus * shape.gpu_milli
