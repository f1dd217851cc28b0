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

from eisbach.core.admission.state import SchedulerState
from eisbach.core.capacity.fit import Kind, NodeState, how_many
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import WHOLE, NodeShape

WAITING, RUNNING, NOTHING = "waiting", "running", "nothing"


def tasks_asked(state: SchedulerState, jobs_max: int | None = None) -> tuple[str, Counter[NodeShape]]:
    """Return whose tasks count and how often each comes: a gang's as often as it has nodes.

    `jobs_max` bounds the jobs that are looked at, oldest first.
    """
    waiting = (job for job in state.jobs.values() if job.state is JobState.WAITING)
    for said, jobs in ((WAITING, waiting), (RUNNING, iter(state.holding.values()))):
        tasks = _tasks((job.shapes[job.shape], job.nodes) for job in islice(jobs, jobs_max))
        if tasks:
            return said, tasks
    return NOTHING, Counter()


def _tasks(asked: Iterable[tuple[NodeShape, int]]) -> Counter[NodeShape]:
    # Equal shapes of the state are one object nearly always: a shape is hashed once, not for each of thousands of jobs.
    met: dict[int, NodeShape] = {}
    times_of: dict[int, int] = {}
    for shape, times in asked:
        if shape.gpus:
            name = id(shape)
            met[name] = shape
            times_of[name] = times_of.get(name, 0) + times
    tasks: Counter[NodeShape] = Counter()
    for name, shape in met.items():
        tasks[shape] += times_of[name]
    return tasks


class Stranded:
    """What of a node is stranded for these tasks: worked out once for equal nodes."""

    def __init__(self, tasks: Mapping[NodeShape, int]) -> None:
        self._tasks = tasks
        self._known: dict[tuple[object, ...], int] = {}
        self._asked: dict[str, tuple[list[tuple[NodeShape, int]], int]] = {}

    def of(self, node: Node) -> int:
        """Return the thousandths of its free GPUs that are stranded; 0 where nobody asks for such GPUs."""
        if not node.free_mask and not node.parts:
            return 0  # the commonest node of a full factory, told without making anything
        parts = tuple(sorted(node.parts.values())) if node.parts else ()
        key = (node.flavour, node.gpus, node.cpu_milli, node.memory_mib, node.free_cpu_milli, node.free_memory_mib, node.free_mask.bit_count(), parts)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._lost(node)
        return known

    def _lost(self, node: Node) -> int:
        free_milli = node.gpus * WHOLE - node.held_gpu_milli
        if not free_milli or not self._tasks:
            return 0
        kind, state = node.kind, node.state
        asked, times = self._asked_of(node.flavour)
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
