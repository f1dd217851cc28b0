"""EASY backfill: the first job that does not fit keeps the start that the limits of running work allow it.

Source: D. Lifka, "The ANL/IBM SP Scheduling System" (JSSPP 1995); shadow time and extra nodes as in A. Mu'alem and
D. Feitelson, TPDS 12(6), 2001, here with the free amounts of each node in place of a count of nodes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape


@dataclass(slots=True)
class Shadow:
    """The start kept for the head of the queue: when, where, and what later starts may hold beyond that instant.

    `extra` is (milli-cores, MiB, GPUs) left on each node of the head's placement once the head runs. Who does not
    share nodes with the head (`tenant`) gets nothing of it.
    """

    at_ms: int
    shares: tuple[Share, ...]
    extra: dict[str, tuple[int, int, int]]
    tenant: str = ""

    def admits(self, shares: Sequence[Share], ends_by_ms: int) -> bool:
        """Return whether a start with these shares leaves the head's start alone; if so, account for it."""
        if ends_by_ms <= self.at_ms:
            return True
        left = dict(self.extra)
        for share in shares:
            if share.node in left:
                if share.tenant != self.tenant:
                    return False
                cpu, memory, gpus = left[share.node]
                cpu, memory, gpus = cpu - share.cpu_milli, memory - share.memory_mib, gpus - len(share.gpus)
                if cpu < 0 or memory < 0 or gpus < 0:
                    return False
                left[share.node] = (cpu, memory, gpus)
        self.extra = left
        return True


def find_shadow(
    fleet: Fleet,
    shapes: Sequence[NodeShape],
    nodes: int,
    releases: Iterable[tuple[int, Sequence[Share]]],
    now: int,
    where: Where = ANYWHERE,
) -> Shadow | None:
    """Return the earliest start of a gang if everything that runs ends at its limit; None where it never fits.

    `releases` are (instant, shares) of all that holds capacity, in any order. The fleet is left as it was.
    """
    given_back: list[Sequence[Share]] = []
    found: Shadow | None = None
    # What is released at one instant is released together, so that their order does not matter.
    for at_ms, together in groupby(sorted(releases, key=_instant), key=_instant):
        for _, shares in together:
            fleet.give_back(shares)
            given_back.append(shares)
        placed = next((placed for shape in shapes if (placed := fleet.place(shape, nodes, where)) is not None), None)
        if placed is not None:
            found = Shadow(max(at_ms, now), placed, _extra(fleet, placed), where.tenant)
            break
    for shares in reversed(given_back):
        fleet.take(shares)
    return found


def _instant(release: tuple[int, Sequence[Share]]) -> int:
    return release[0]


def _extra(fleet: Fleet, placed: Sequence[Share]) -> dict[str, tuple[int, int, int]]:
    extra: dict[str, tuple[int, int, int]] = {}
    for share in placed:
        node = fleet.nodes[share.node]
        cpu, memory, gpus = extra.get(
            share.node, (node.free_cpu_milli, node.free_memory_mib, len(node.free_gpus))
        )
        extra[share.node] = (cpu - share.cpu_milli, memory - share.memory_mib, gpus - len(share.gpus))
    return extra
