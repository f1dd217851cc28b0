"""Clocks: the machine's, made steady, and one that only moves when it is told to."""

import time
from typing import Final

from eisbach.core.vocabulary.quantities import Instant

BACK_TOLERANCE_MS: Final = 50
"""Smaller steps back are the daily work of a time service; now() just waits them out."""


class _Steady:
    """Makes a wall clock steady: set back, it goes on from where it was, paced by the uptime."""

    def __init__(self, wall: int, uptime_ms: int) -> None:
        self._last, self._last_uptime = wall, uptime_ms

    def now(self, wall: int, uptime_ms: int) -> Instant:
        """Return an instant that never decreases."""
        if wall < self._last - BACK_TOLERANCE_MS:
            wall = self._last + max(0, uptime_ms - self._last_uptime)
        self._last, self._last_uptime = max(self._last, wall), uptime_ms
        return Instant(self._last)

    def not_before(self, instant: int, uptime_ms: int) -> None:
        """Go on from this instant if it is later."""
        if instant > self._last:
            self._last, self._last_uptime = instant, uptime_ms


class SystemClock:
    """The machine's clock. Set back by an administrator, it goes on from where it was, paced by CLOCK_BOOTTIME."""

    def __init__(self) -> None:
        self._steady = _Steady(0, self.uptime_ms())

    def now(self) -> Instant:
        """Return UTC milliseconds that never decrease while the process lives."""
        return self._steady.now(self.wall(), self.uptime_ms())

    def not_before(self, instant: Instant) -> None:
        """Go on from this instant if the wall clock is behind it."""
        self._steady.not_before(instant, self.uptime_ms())

    def wall(self) -> Instant:
        """Return what the wall clock says."""
        return Instant(time.time_ns() // 1_000_000)

    def uptime_ms(self) -> int:
        """Return CLOCK_BOOTTIME in milliseconds: it counts through sleep and nobody sets it."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class VirtualClock:
    """A clock that stands still until it is moved forward, and that nobody sets: for the twin."""

    def __init__(self, at_ms: int) -> None:
        self._now = Instant(at_ms)
        self._begin = at_ms

    def advance_to(self, at_ms: int) -> None:
        """Let time pass until an instant; one that is over changes nothing."""
        if at_ms > self._now:
            self._now = Instant(at_ms)

    def now(self) -> Instant:
        """Return the instant."""
        return self._now

    def wall(self) -> Instant:
        """Return the instant: nothing sets this clock."""
        return self._now

    def not_before(self, instant: Instant) -> None:
        """Go on from this instant if it is later."""
        self.advance_to(instant)

    def uptime_ms(self) -> int:
        """Return the time that passed."""
        return self._now - self._begin


class ManualClock:
    """A clock that stands still until it is moved, and may be set back: for tests."""

    def __init__(self, at_ms: int = 1_780_000_000_000) -> None:
        self._wall = at_ms
        self._uptime = 1_000_000
        self._steady = _Steady(at_ms, self._uptime)

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self._wall += milliseconds
        self._uptime += milliseconds

    def set_wall(self, at_ms: int) -> None:
        """Set the wall clock, as an administrator would; no time passes."""
        self._wall = at_ms

    def now(self) -> Instant:
        """Return the instant, never earlier than before."""
        return self._steady.now(self._wall, self._uptime)

    def not_before(self, instant: Instant) -> None:
        """Go on from this instant if the wall clock is behind it."""
        self._steady.not_before(instant, self._uptime)

    def wall(self) -> Instant:
        """Return what the wall clock was set to and what passed since."""
        return Instant(self._wall)

    def uptime_ms(self) -> int:
        """Return the time that passed."""
        return self._uptime
