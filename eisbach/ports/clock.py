"""What the application needs from time."""

from typing import Protocol

from eisbach.core.vocabulary.quantities import Instant


class Clock(Protocol):
    """A clock in UTC milliseconds."""

    def now(self) -> Instant:
        """Return the instant to work with: the wall clock's, but never earlier than before while the process lives."""

    def not_before(self, instant: Instant) -> None:
        """Have now() begin at this instant at the earliest: what the log knows has happened, whatever the wall says."""

    def wall(self) -> Instant:
        """Return what the wall clock says, jumps included."""

    def uptime_ms(self) -> int:
        """Return milliseconds on a clock that no administrator sets (CLOCK_BOOTTIME), to notice jumps."""
