"""What is known beforehand of weather, water and demand: monthly means with the shape of a day, or recorded values."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from eisbach.core.vocabulary.interval import month_start, year_and_month
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS

RECORDED_FOR_MS = 3 * HOUR_MS
"""A recorded value holds until the next one, but not longer than this: then the monthly mean speaks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """An integer quantity over time, in whatever unit its owner names.

    `monthly` are twelve means, each in the middle of its month and straight lines between; `hourly` are 24 additions
    by the hour of the day in UTC. `recorded` are ascending (instant, value) and win where they are fresh.
    """

    monthly: Sequence[int]
    hourly: Sequence[int] = (0,) * 24
    recorded_ms: Sequence[int] = field(default=())
    recorded: Sequence[int] = field(default=())

    def at(self, instant: int) -> int:
        """Return the value at an instant."""
        found = bisect_right(self.recorded_ms, instant) - 1
        if found >= 0 and instant - self.recorded_ms[found] < RECORDED_FOR_MS:
            return self.recorded[found]
        return self._mean(instant) + self.hourly[instant % DAY_MS // HOUR_MS]

    def breaks(self, start: int, end: int) -> Sequence[int]:
        """Return the instants between two at which the value jumps or turns; in between it goes one way."""
        hours = range(start - start % HOUR_MS + HOUR_MS, end, HOUR_MS)
        near = slice(bisect_left(self.recorded_ms, start - RECORDED_FOR_MS), bisect_right(self.recorded_ms, end))
        jumps = [at for one in self.recorded_ms[near] for at in (one, one + RECORDED_FOR_MS)]
        turn = _middle(*year_and_month(start))
        return [at for jump in (*hours, *jumps) for at in (jump - 1, jump) if start < at < end] + (
            [turn] if start < turn < end else []
        )

    def _mean(self, instant: int) -> int:
        year, month = year_and_month(instant)
        middle = _middle(year, month)
        if instant < middle:
            before, after = month - 1, month
            start, end = _middle(year, month - 1), middle
        else:
            before, after = month, month + 1
            start, end = middle, _middle(year, month + 1)
        low, high = self.monthly[(before - 1) % 12], self.monthly[(after - 1) % 12]
        return low + (high - low) * (instant - start) // (end - start)


def constant(value: int) -> Series:
    """Return a series that never changes."""
    return Series(monthly=(value,) * 12)


def _middle(year: int, month: int) -> int:
    if month < 1:
        year, month = year - 1, month + 12
    return (month_start(year, month) + month_start(year, month + 1)) // 2
