"""GPUs that are free and of no use: too few of them on a node for one task of any job that waits. Fragmentation, in GPU-hours."""

from collections import defaultdict
from itertools import islice

from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.twin.world import World

LOOK_EVERY_MS = 2 * HOUR_MS
JOBS_LOOKED_AT = 1_000
"""Waiting jobs that are looked at in one sample, oldest first: the smallest of them decides what is of use."""


class Stranded:
    """Looks at the fleet every two hours of virtual time; what it sees then counts for the two hours before."""

    def __init__(self, world: World) -> None:
        self._next_ms = int(world.now) + LOOK_EVERY_MS
        self.gpu_ms: dict[str, int] = defaultdict(int)
        """flavour -> GPU-milliseconds that were stranded"""

    @property
    def gpu_h(self) -> float:
        """Return the GPU-hours of all flavours."""
        return sum(self.gpu_ms.values()) / HOUR_MS

    def look(self, world: World) -> None:
        """Count what is stranded now, where that is due."""
        now = int(world.now)
        if now < self._next_ms:
            return
        looks, self._next_ms = (now - self._next_ms) // LOOK_EVERY_MS + 1, now - now % LOOK_EVERY_MS + LOOK_EVERY_MS
        smallest = _smallest_task(world)
        for node in world.state.scheduler.fleet.nodes.values() if smallest else ():
            free = len(node.free_gpus)
            if 0 < free < min(smallest.get(node.flavour, 0), node.gpus) and node.available:
                self.gpu_ms[node.flavour] += free * LOOK_EVERY_MS * looks


def _smallest_task(world: World) -> dict[str, int]:
    """Return flavour -> the fewest GPUs that a task of a waiting job takes of one node, for those that somebody waits for."""
    waiting = (job for job in world.state.scheduler.jobs.values() if job.state is JobState.WAITING and not job.booking)
    found: dict[str, int] = {}
    for job in islice(waiting, JOBS_LOOKED_AT):
        for shape in job.shapes:
            if shape.gpus and shape.flavour is not None:
                found[shape.flavour] = min(found.get(shape.flavour, shape.gpus), shape.gpus)
    return found
