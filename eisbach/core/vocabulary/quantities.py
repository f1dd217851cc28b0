"""Instants, durations and amounts of capacity, all integers with the unit in the name."""

from dataclasses import dataclass
from typing import Final, NewType

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

MJ_PER_KWH: Final = 3_600_000_000
"""Millijoule of a kilowatt-hour."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """An amount of capacity: thousandths of a core, MiB of memory, whole GPUs counted in thousandths."""

    cpu_milli: int = 0
    memory_mib: int = 0
    gpu_milli: int = 0

    def __add__(self, other: "Capacity") -> "Capacity":
        return Capacity(
            self.cpu_milli + other.cpu_milli, self.memory_mib + other.memory_mib, self.gpu_milli + other.gpu_milli
        )

    def __sub__(self, other: "Capacity") -> "Capacity":
        return Capacity(
            self.cpu_milli - other.cpu_milli, self.memory_mib - other.memory_mib, self.gpu_milli - other.gpu_milli
        )

    def times(self, count: int) -> "Capacity":
        """Return this amount `count` times."""
        return Capacity(self.cpu_milli * count, self.memory_mib * count, self.gpu_milli * count)

    def fits_in(self, other: "Capacity") -> bool:
        """Return whether `other` holds at least this much of everything."""
        return (
            self.cpu_milli <= other.cpu_milli
            and self.memory_mib <= other.memory_mib
            and self.gpu_milli <= other.gpu_milli
        )
