"""Energy counters: what two readings say about the time between, through wraps, resets and gaps."""

from enum import Enum
from typing import NamedTuple


class Label(Enum):
    """Where a figure comes from. It stands beside the figure wherever it is seen."""

    MEASURED = "measured"
    MODELLED = "modelled"
    SIMULATED = "simulated"


class Counted(NamedTuple):
    """A reading of a counter: millijoule, since which start of it (a boot, a driver), and where it wraps (0: nowhere)."""

    value_mj: int
    origin: str
    wraps_at_mj: int = 0


def difference(before: Counted | None, after: Counted, elapsed_ms: int, most_mw: int) -> int | None:
    """Return the millijoule between two readings, or None where they do not tell.

    A counter that began anew in between does not tell, and neither does one that may have wrapped more than once: what it counts can
    draw at most `most_mw`.
    """
    if before is None or before.origin != after.origin:
        return None
    if not after.wraps_at_mj:
        return after.value_mj - before.value_mj if after.value_mj >= before.value_mj else None
    if elapsed_ms * most_mw >= after.wraps_at_mj * 1000:
        return None
    return (after.value_mj - before.value_mj) % after.wraps_at_mj
