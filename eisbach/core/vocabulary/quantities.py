"""Instants, durations and amounts of capacity, all integers with the unit in the name."""

from typing import Final, NewType

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

MJ_PER_KWH: Final = 3_600_000_000
"""Millijoule of a kilowatt-hour."""
