"""A quantity that changes by the hour, added up over windows: prices and carbon of the hours to come."""

from collections.abc import Callable, Iterable
from itertools import accumulate
from operator import sub

from eisbach.core.booking.timetable import Window
from eisbach.core.vocabulary.quantities import HOUR_MS

HOUR = 60
"""Minutes of an hour."""


class Rates:
    """Values by the hour, each taken at its first instant. `total` adds them up by the minute.

    `at` gives the value at an instant in milliseconds; each hour is asked for once, so it must answer the same always.
    """

    __slots__ = ("_at", "_base", "_sums", "_values", "is_flat")

    def __init__(self, at: Callable[[int], int], *, is_flat: bool = False) -> None:
        self._at, self.is_flat = at, is_flat
        self._base = -1
        self._values: list[int] = []
        self._sums: list[int] = [0]

    def total(self, start: int, length: int) -> int:
        """Return value x minutes over `length` minutes from minute `start`."""
        self._reach(start, start + length)
        return self._until(start + length) - self._until(start)

    def lowest(self, windows: Iterable[Window], length: int) -> tuple[int, int] | None:
        """Return the least total over all starts in the windows and the earliest start that has it; None without any.

        Between the marks at which either end of the stretch meets an hour the total goes one way, so that only the marks
        and the ends of the windows are looked at.
        """
        windows = list(windows)
        if not windows:
            return None
        if self.is_flat:
            return self.total(windows[0][0], length), windows[0][0]
        first, last = windows[0][0], max(window[1] for window in windows)
        self._reach(first, last + length + HOUR)
        best = min((self.total(at, length), at) for window in windows for at in window)
        for shift in {0, -length % HOUR}:
            hour, marks = self._marks(first, last, length, shift)
            for begin, end in windows:
                low, high = -(-(begin - shift) // HOUR) - hour, (end - shift) // HOUR + 1 - hour
                if low < high:
                    least = min(marks[low:high])
                    if least <= best[0]:
                        best = min(best, (least, (hour + marks.index(least, low)) * HOUR + shift))
        return best

    def _marks(self, first: int, last: int, length: int, shift: int) -> tuple[int, list[int]]:
        """Return the totals of the starts at `shift` minutes after each hour between two minutes, and the first hour's number."""
        hour = -(-(first - shift) // HOUR)
        at = hour - self._base // HOUR
        count = (last - shift) // HOUR - hour + 1
        hours, rest = divmod(shift + length, HOUR)
        begins, ends = self._sums[at : at + count], self._sums[at + hours : at + hours + count]
        totals = list(map(sub, ends, begins))
        if shift:
            totals = [total - value * shift for total, value in zip(totals, self._values[at : at + count], strict=True)]
        elif rest:
            totals = [total + value * rest for total, value in zip(totals, self._values[at + hours : at + hours + count], strict=True)]
        return hour, totals

    def _until(self, minute: int) -> int:
        hour, rest = divmod(minute - self._base, HOUR)
        return self._sums[hour] + (self._values[hour] * rest if rest else 0)

    def _reach(self, start: int, end: int) -> None:
        """Have the values of all hours between two minutes."""
        hour = start // HOUR
        if self._base < 0 or hour * HOUR < self._base:
            self._base, self._values = hour * HOUR, []
        known = self._base // HOUR + len(self._values)
        missing = range(known, end // HOUR + 1)
        if missing:
            self._values += [self._at(one * HOUR_MS) for one in missing]
            self._sums = list(accumulate((value * HOUR for value in self._values), initial=0))


def flat(value: int) -> Rates:
    """Return rates that never change."""
    return Rates(lambda _: value, is_flat=True)
