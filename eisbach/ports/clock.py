"""What the application needs from time."""

from typing import Protocol

from eisbach.core.vocabulary.quantities import Instant


class Clock(Protocol):
    """A clock in UTC milliseconds. The applier makes it never decrease; the clock itself may jump."""

    def now(self) -> Instant:
        """Return the wall clock's instant."""

    def uptime_ms(self) -> int:
        """Return milliseconds on a clock that no administrator sets (CLOCK_BOOTTIME), to notice jumps."""
