"""Clocks: the machine's, made steady, and one that only moves when it is told to."""

import time

from eisbach.core.vocabulary.quantities import Instant

BACK_TOLERANCE_MS = 50
"""Smaller steps back are the daily work of a time service; now() just waits them out."""


class SystemClock:
    """The machine's clock. Set back by an administrator, it goes on from where it was, paced by CLOCK_BOOTTIME."""

    def __init__(self) -> None:
        self._last = 0
        self._last_uptime = self.uptime_ms()

    def now(self) -> Instant:
        """Return UTC milliseconds that never decrease while the process lives."""
        wall, uptime = self.wall(), self.uptime_ms()
        if wall < self._last - BACK_TOLERANCE_MS:
            wall = Instant(self._last + max(0, uptime - self._last_uptime))
        self._last, self._last_uptime = max(self._last, wall), uptime
        return Instant(self._last)

    def wall(self) -> Instant:
        """Return what the wall clock says."""
        return Instant(time.time_ns() // 1_000_000)

    def uptime_ms(self) -> int:
        """Return CLOCK_BOOTTIME in milliseconds: it counts through sleep and nobody sets it."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved: for tests and for the twin."""

    def __init__(self, at_ms: int = 1_780_000_000_000) -> None:
        self._wall = at_ms
        self._uptime = 1_000_000
        self._last = at_ms

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self._wall += milliseconds
        self._uptime += milliseconds

    def set_wall(self, at_ms: int) -> None:
        """Set the wall clock, as an administrator would; no time passes."""
        self._wall = at_ms

    def now(self) -> Instant:
        """Return the instant, never earlier than before."""
        self._last = max(self._last, self._wall)
        return Instant(self._last)

    def wall(self) -> Instant:
        """Return what the wall clock was set to and what passed since."""
        return Instant(self._wall)

    def uptime_ms(self) -> int:
        """Return the time that passed."""
        return self._uptime
