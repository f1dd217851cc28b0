"""Which of the nodes that hold a task is the best: what the fleet asks, and the answer it has by itself, best fit.

Answers are kept by what is free on a node, so equal nodes and equal questions cost one look-up.
"""

from collections.abc import Mapping
from typing import Final

from eisbach.core.capacity.fit import Kind, NodeState, after, gpus_to_choose
from eisbach.core.jobs.request import WHOLE, NodeShape

ANSWERS_MAX: Final = 200_000
"""States remembered before all are forgotten: so memory stays bounded whatever is asked."""

Answer = tuple[int, int] | None
"""What it costs to place there, lower is better, and what is left of the GPU to take; None where it does not fit."""

CPU_MILLI_OF_LARGEST: Final = 128_000
GPU_MILLI_OF_LARGEST: Final = 8_000
"""Cores and GPUs of the largest node in the trace of FGD, by which its simulator's BestFit weighs both alike."""


class Ranking:
    """Best fit: the node on which least is left, cores and GPUs weighed alike. Others override `cost` or `draw`.

    Source: BestFit of the FGD simulator (Q. Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 6.1).
    """

    __slots__ = ("_answers", "_size")

    draws = False
    """Whether `draw` decides between equals; else the first is taken."""

    def __init__(self) -> None:
        self._answers: dict[tuple[Kind, NodeShape], dict[NodeState, Answer]] = {}
        self._size = 0

    def answers(self, kind: Kind, shape: NodeShape) -> dict[NodeState, Answer]:
        """Return what is known so far of placing a shape on nodes of a kind."""
        if self._size > ANSWERS_MAX:
            self.forget()
        known = self._answers.get((kind, shape))
        if known is None:
            known = self._answers[kind, shape] = {}
        return known

    def answer(self, kind: Kind, shape: NodeShape, state: NodeState) -> Answer:
        """Return what it costs to place a shape in this state, and on which GPU; it is known from now on."""
        best: Answer = None
        for left in gpus_to_choose(kind, state, shape):
            cost = self.cost(kind, state, after(kind, state, shape, left))
            if best is None or (cost, left) < best:
                best = (cost, left)
        self._answers.setdefault((kind, shape), {})[state] = best
        self._size += 1
        return best

    def forget(self) -> None:
        """Forget all answers: what they rest on has changed."""
        self._answers.clear()
        self._size = 0

    def learn(self, typical: Mapping[NodeShape, int]) -> None:
        """Take this as the usual workload, with how often each shape comes; best fit has no use for it."""

    def cost(self, kind: Kind, before: NodeState, afterwards: NodeState) -> int:
        """Return what it costs that a node goes from one state to another; only the order counts."""
        return room_left(afterwards)

    def draw(self, equals: int) -> int:
        """Return which of several equally good nodes takes the task, counted in their order."""
        return 0

    def gpu(self, kind: Kind, shape: NodeShape, state: NodeState, best: int) -> int:
        """Return which GPU of the chosen node takes the task, by what is left of it: the best one."""
        return best


def room_left(state: NodeState) -> int:
    """Return how much a node has left, cores and GPUs weighed alike; a part of a GPU counts as what is left of it."""
    gpu_milli = state.gpus * WHOLE + sum(left if left > 0 else 0 for left in state.parts)
    return state.cpu_milli * GPU_MILLI_OF_LARGEST + gpu_milli * CPU_MILLI_OF_LARGEST
