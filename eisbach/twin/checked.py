"""What a checked run has besides: a store that keeps the log, signed heads, and the invariants held against every event.

Apart from twin/scenario.py, so that a run that is not checked loads nothing of it.
"""

from random import Random

from eisbach.adapters.signing import signer_from
from eisbach.ports.signer import Signer
from eisbach.ports.store import Store
from eisbach.stores.memory import MemoryStore
from eisbach.twin.checks import Checks
from eisbach.twin.world import ORIGIN, World


class Checked:
    """Checks a run (twin/scenario.Checking)."""

    def store(self) -> Store:
        """Return a store that keeps everything."""
        return MemoryStore()

    def signer(self, seed: int) -> Signer:
        """Return what signs heads, with a key that follows from the seed."""
        return signer_from(ORIGIN, Random(seed).randbytes(32))

    def watch(self, world: World) -> Checks:
        """Return what looks at a world from now on."""
        return Checks(world)


CHECKED = Checked()
