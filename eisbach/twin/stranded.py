"""GPUs that are free and of no use to those who ask (core/admission/stranded.py), added up over virtual time in GPU-hours."""

from collections import defaultdict
from typing import Final

from eisbach.core.admission.stranded import Stranded as StrandedFor
from eisbach.core.admission.stranded import tasks_asked
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.twin.world import World

LOOK_EVERY_MS: Final = 2 * HOUR_MS
JOBS_LOOKED_AT: Final = 1_000
"""Jobs that are looked at in one sample, oldest first: whose tasks say what is of use."""


class Stranded:
    """Looks at the fleet every two hours of virtual time; what it sees then counts for the two hours before."""

    def __init__(self, world: World) -> None:
        self._next_ms = int(world.now) + LOOK_EVERY_MS
        self.gpu_milli_ms: dict[str, int] = defaultdict(int)
        """flavour -> thousandths of a GPU x milliseconds that were stranded"""

    @property
    def gpu_h(self) -> dict[str, float]:
        """Return flavour -> GPU-hours."""
        return {flavour: amount / (WHOLE * HOUR_MS) for flavour, amount in self.gpu_milli_ms.items()}

    def look(self, world: World) -> None:
        """Count what is stranded now, where that is due."""
        now = world.clock.now()
        if now < self._next_ms:
            return
        looks, self._next_ms = (now - self._next_ms) // LOOK_EVERY_MS + 1, now - now % LOOK_EVERY_MS + LOOK_EVERY_MS
        _, tasks = tasks_asked(world.state.scheduler, JOBS_LOOKED_AT)
        stranded = StrandedFor(tasks)
        for pool in world.state.scheduler.fleet.pools() if tasks else ():
            milli = stranded.in_pool(pool)
            if milli:
                self.gpu_milli_ms[pool.kind.flavour] += milli * LOOK_EVERY_MS * looks
