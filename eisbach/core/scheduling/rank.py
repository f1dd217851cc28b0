"""Which node suits a task that takes less than all of one: the node that fragments least, measured by what is usually asked for.

Source: Q. Weng, L. Yang, Y. Yu, W. Wang, X. Tang, G. Yang, L. Zhang, "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
Fragmentation Gradient Descent", USENIX ATC 2023: a GPU's free part is a fragment for a task that cannot use it, and a node's
fragmentation is the sum over all tasks, weighed by how often they come. A task goes where it adds least. Scores are whole
hundredths of a sigmoid, as in the paper's simulator (hkust-adsl/kubernetes-scheduler-simulator, FGDScore). Here memory counts as
cores do, and of equals the node with the least left takes the task, where the simulator draws one: that packs best, better than
exact gradients too (benchmarks/packing.py), for the usual workload is only what usually comes.
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from eisbach.core.capacity.fit import Kind, NodeState, mig_start
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.ranking import CPU_MILLI_OF_LARGEST, GPU_MILLI_OF_LARGEST, Ranking, room_left
from eisbach.core.jobs.request import WHOLE, NodeShape

MASK_64: Final = (1 << 64) - 1
_ROOM_BITS: Final = 40
"""More bits than what is left of a node has: fragmentation decides, what is left only among equals."""
_SLICES: Final = 8
_UPPER: Final = (
    40, 80, 120, 160, 201, 241, 282, 323, 364, 405, 447, 490, 532, 575,
    619, 663, 708, 754, 800, 847, 895, 944, 995, 1046, 1099, 1153, 1208, 1266,
    1325, 1386, 1450, 1516, 1586, 1658, 1735, 1815, 1901, 1992, 2091, 2197, 2314, 2442,
    2587, 2752, 2944, 3178, 3476, 3892, 4595,
)
LEVELS: Final = (*(-one for one in reversed(_UPPER)), 0, *_UPPER)
"""By how many thousandths of a GPU fragmentation must fall for a score of 1, 2, ... 99 hundredths: 1000 ln(k / (100 - k)), rounded."""


class Gradient(Ranking):
    """Fragmentation gradient descent. `typical` are the shapes of the usual workload with how often each comes."""

    __slots__ = ("_many", "_tables", "_typical", "_usable")

    def __init__(self, typical: Mapping[NodeShape, int]) -> None:
        super().__init__()
        self._typical = dict(typical)
        self._many = max(1, sum(typical.values()))
        self._tables: dict[Kind, _Table] = {}
        self._usable: dict[tuple[Kind, NodeState], int] = {}

    def learn(self, typical: Mapping[NodeShape, int]) -> None:
        """Take another workload as the usual one."""
        self._typical = dict(typical)
        self._many = max(1, sum(typical.values()))
        self._tables.clear()
        self.forget()

    def forget(self) -> None:
        """Forget all answers: what they rest on has changed, or they are too many."""
        super().forget()
        self._usable.clear()

    def cost(self, kind: Kind, before: NodeState, afterwards: NodeState) -> int:
        """Return how badly fragmentation falls, in hundredths; then how much is left, that of GPUs counted twice."""
        left = free_milli(afterwards)
        lost = self.usable(kind, before) - self.usable(kind, afterwards)
        fallen = free_milli(before) - left - lost // self._many
        room = afterwards.cpu_milli * GPU_MILLI_OF_LARGEST + 2 * left * CPU_MILLI_OF_LARGEST
        return (-bisect_right(LEVELS, fallen) << _ROOM_BITS) + room

    def usable(self, kind: Kind, state: NodeState) -> int:
        """Return how many thousandths of free GPUs a usual task could use, added up over all of them as often as they come."""
        known = self._usable.get((kind, state))
        if known is None:
            table = self._tables.get(kind)
            if table is None:
                table = self._tables[kind] = _Table(kind, self._typical)
            known = self._usable[kind, state] = table.usable(state)
        return known


class _Table:
    """How many of the usual tasks a node of one kind could take at all, by cores and memory, looked up by what they need of GPUs."""

    __slots__ = ("_cores", "_kind", "_memories", "_parts", "_rows", "_shapes", "_slices")

    def __init__(self, kind: Kind, typical: Mapping[NodeShape, int]) -> None:
        self._kind = kind
        self._shapes = [
            (shape, count)
            for shape, count in typical.items()
            if shape.gpus and (shape.flavour is None or is_flavour(kind.flavour, shape.flavour))
        ]
        self._cores = sorted({shape.cpu_milli for shape, _ in self._shapes})
        self._memories = sorted({shape.memory_mib for shape, _ in self._shapes})
        self._parts = sorted({shape.gpu_milli for shape, _ in self._shapes if shape.gpu_milli < WHOLE and not shape.mig})
        self._slices = sorted({shape.mig for shape, _ in self._shapes if shape.mig})
        self._rows: dict[tuple[int, int], tuple[list[int], list[int], list[int]]] = {}

    def usable(self, state: NodeState) -> int:
        """Return the usable thousandths of a node in this state, times how often who could use them comes."""
        where = bisect_right(self._cores, state.cpu_milli), bisect_right(self._memories, state.memory_mib)
        row = self._rows.get(where)
        if row is None:
            row = self._rows[where] = self._row(*where)
        of_parts, of_whole, of_slices = row
        total = state.gpus * WHOLE * (of_parts[-1] + of_whole[state.gpus] + sum(of_slices))
        for left in state.parts:
            if left > 0:
                total += left * of_parts[bisect_right(self._parts, left)]
            else:
                free = _free_of_cut(left)
                for mig, count in zip(self._slices, of_slices, strict=True):
                    if count and mig_start(self._kind.flavour, mig, -left) is not None:
                        total += free * count
        return total

    def _row(self, cores: int, memories: int) -> tuple[list[int], list[int], list[int]]:
        """Return how often tasks come that need no more cores and memory than these: by part, by whole GPUs, by slice."""
        parts, whole, slices = [0] * (len(self._parts) + 1), [0] * (self._kind.gpus + 1), [0] * len(self._slices)
        for shape, count in self._shapes:
            if not cores or not memories:
                break
            if shape.cpu_milli > self._cores[cores - 1] or shape.memory_mib > self._memories[memories - 1]:
                continue
            if shape.mig:
                slices[self._slices.index(shape.mig)] += count
            elif shape.gpu_milli < WHOLE:
                parts[bisect_right(self._parts, shape.gpu_milli)] += count
            elif shape.gpus <= self._kind.gpus:
                whole[shape.gpus] += count
        return list(accumulate(parts)), list(accumulate(whole)), slices


def free_milli(state: NodeState) -> int:
    """Return how many thousandths of a node's GPUs are free; of one cut into slices the part of its memory."""
    return state.gpus * WHOLE + sum(left if left > 0 else _free_of_cut(left) for left in state.parts)


def _free_of_cut(left: int) -> int:
    return (_SLICES - (-left).bit_count()) * WHOLE // _SLICES


class Chance(Ranking):
    """Any node that holds the task, and any GPU of it, each as likely as another: what the others are measured against.

    The numbers are those of SplitMix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014) from a seed.
    """

    __slots__ = ("_state",)
    draws = True

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._state = seed & MASK_64

    def cost(self, kind: Kind, before: NodeState, afterwards: NodeState) -> int:
        """Return nothing: all nodes are equally good."""
        return 0

    def draw(self, equals: int) -> int:
        """Return which of them takes the task."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK_64
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK_64
        return (mixed ^ (mixed >> 31)) * equals >> 64

    def gpu(self, kind: Kind, shape: NodeShape, state: NodeState, best: int) -> int:
        """Return which GPU of the chosen node takes the task, by what is left of it."""
        if shape.gpu_milli == WHOLE or shape.mig:
            return best
        holding = [left for left in state.parts if left >= shape.gpu_milli] + [WHOLE] * state.gpus
        return holding[self.draw(len(holding))]


class BestFit(Chance):
    """Best fit as the simulator of the paper has it: scores in whole hundredths of the largest node, one of equals by chance."""

    __slots__ = ()

    def cost(self, kind: Kind, before: NodeState, afterwards: NodeState) -> int:
        """Return how much is left, in hundredths of the largest node."""
        return room_left(afterwards) * 100 // (2 * CPU_MILLI_OF_LARGEST * GPU_MILLI_OF_LARGEST)

    def gpu(self, kind: Kind, shape: NodeShape, state: NodeState, best: int) -> int:
        """Return the GPU of which least is left."""
        return best
