"""Promises that need a part of their nodes: what others may hold there beyond the promised start."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from eisbach.core.admission.state import SchedulerState
from eisbach.core.capacity.calendar import Entry
from eisbach.core.capacity.fleet import Share
from eisbach.core.capacity.holding import give_to
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.scheduling.backfill import Release

Amounts = list[int]
"""Thousandths of a core, MiB, whole GPUs; what takes a part of a GPU counts as if it took a whole one."""


class Guards:
    """What is left beside each promise that shares its nodes, from its start on, if everything ends at its limit."""

    __slots__ = ("_left",)

    def __init__(self, state: SchedulerState, now: int, releases: Iterable[Release]) -> None:
        known = list(releases)
        self._left: list[tuple[Entry, dict[str, Amounts]]] = []
        for job, entry in sorted(state.calendar.promises.items()):  # a plan that is rolled back leaves them in another order
            if entry.is_shared:
                self._left.append((entry, _beside(state, job, entry, known)))

    def too_full(self, shares: Sequence[Share], ends_by: int) -> Sequence[str]:
        """Return the nodes of a promise that have too little beside it for work that holds these shares until then.

        Nothing where it leaves every promise its part; else all nodes on which as much as it wants of one would be too much.
        """
        for entry, left in self._left:
            if ends_by <= entry.from_ms:
                continue
            wanted: dict[str, Amounts] = {}
            for share in shares:
                if share.node in left:
                    _add(wanted.setdefault(share.node, [0, 0, 0]), share)
            if any(_is_more(of, left[node]) for node, of in wanted.items()):
                most = [max(amounts) for amounts in zip(*wanted.values(), strict=True)]
                return [node for node, has in left.items() if _is_more(most, has)]
        return ()

    def take(self, shares: Sequence[Share], ends_by: int) -> None:
        """Work holds these shares until then."""
        for entry, left in self._left:
            if ends_by > entry.from_ms:
                for share in shares:
                    if share.node in left:
                        _add(left[share.node], share, -1)


def _beside(state: SchedulerState, job: str, entry: Entry, releases: Sequence[Release]) -> dict[str, Amounts]:
    nodes = state.fleet.nodes
    then = {name: replace(nodes[name], parts=dict(nodes[name].parts)) for name in entry.nodes}
    for at_ms, shares in releases:
        if at_ms > entry.from_ms:
            break
        for share in shares:
            if share.node in then:
                give_to(then[share.node], share)
    left = {name: [node.free_cpu_milli, node.free_memory_mib, node.free_mask.bit_count()] for name, node in then.items()}
    waiting = state.jobs[job]
    flavour = nodes[entry.nodes[0]].flavour
    shape = next(one for one in waiting.shapes if one.flavour is None or is_flavour(flavour, one.flavour))
    needs, missing = (shape.cpu_milli, shape.memory_mib, shape.gpus), waiting.nodes
    for name in entry.nodes:
        tasks = min(missing, *(has // need for has, need in zip(left[name], needs, strict=True) if need))
        missing -= tasks
        left[name] = [has - tasks * need for has, need in zip(left[name], needs, strict=True)]
    return left


def _is_more(wanted: Amounts, has: Amounts) -> bool:
    return any(amount > left for amount, left in zip(wanted, has, strict=True))


def _add(amounts: Amounts, share: Share, times: int = 1) -> None:
    amounts[0] += times * share.cpu_milli
    amounts[1] += times * share.memory_mib
    amounts[2] += times * len(share.gpus)
