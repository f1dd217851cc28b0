"""What the caps on a site's power leave bookings over time: what is booked then counts at its rating, all together."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from eisbach.core.booking.timetable import FOREVER, Window

Draw = tuple[int, int, int]
"""From and until which minute somebody may draw how many milliwatt above rest."""
Cap = tuple[int, int]
"""Until which minute a cap holds (FOREVER: nobody knows), and how many milliwatt above rest it leaves to all work."""


class PowerLeft:
    """Milliwatt that caps leave beside what is booked, from each minute to the next that is named."""

    __slots__ = ("_from", "_left")

    def __init__(self, caps: Sequence[Cap], booked: Iterable[Draw]) -> None:
        changes: dict[int, int] = {}
        get = changes.get
        for start, until, draw in booked:
            changes[start] = get(start, 0) - draw
            changes[until] = get(until, 0) + draw
        before = NO_CAP
        for minute, room in _rooms(caps):
            changes[minute] = get(minute, 0) + room - before
            before = room
        self._from = sorted(changes)
        self._left = list(accumulate(map(changes.__getitem__, self._from), initial=NO_CAP))[1:]

    def least(self, start: int, until: int) -> int:
        """Return the least that is left in any minute of a window."""
        first = bisect_right(self._from, start) - 1
        return min(left for at, left in zip(self._from[first:], self._left[first:], strict=True) if at < until)

    def within(self, starts: Sequence[Window], length: int, needed: int) -> list[Window]:
        """Return of the possible starts those at which so much is left for `length` minutes, as windows in order."""
        short: list[Window] = []
        ends = [*self._from[1:], FOREVER]
        for at, end, left in zip(self._from, ends, self._left, strict=True):
            if left < needed:
                first, last = at - length + 1, end - 1
                if short and first <= short[-1][1] + 1:
                    short[-1] = (short[-1][0], last)
                else:
                    short.append((first, last))
        return _but_for(starts, short)


def _but_for(starts: Sequence[Window], short: Sequence[Window]) -> list[Window]:
    """Return windows without others; both are in order and do not meet."""
    found: list[Window] = []
    nth = 0
    for first, last in starts:
        at = first
        while nth < len(short) and short[nth][1] < first:
            nth += 1
        following = nth
        while following < len(short) and short[following][0] <= last:
            begin, end = short[following]
            if at < begin:
                found.append((at, begin - 1))
            at = max(at, end + 1)
            following += 1
        if at <= last:
            found.append((at, last))
    return found


def _rooms(caps: Sequence[Cap]) -> Iterable[tuple[int, int]]:
    """Yield from which minute on caps leave how much: more than anybody draws where none does. The first is minute 0."""
    for since in sorted({0, *(until for until, _ in caps if until < FOREVER)}):
        yield since, min((room for until, room in caps if since < until), default=NO_CAP)


NO_CAP = 10**15
"""Milliwatt that no site has: a gigawatt a thousand times over."""
