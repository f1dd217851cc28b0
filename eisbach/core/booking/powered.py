"""What the caps on a site's power leave bookings over time: what is booked then counts at its rating, all together."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

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
        for start, until, draw in booked:
            changes[start] = changes.get(start, 0) + draw
            changes[until] = changes.get(until, 0) - draw
        self._from: list[int] = [0]
        self._left: list[int] = [_room(caps, 0)]
        drawn = 0
        for minute in sorted({*changes, *(until for until, _ in caps if until < FOREVER)}):
            drawn += changes.get(minute, 0)
            self._from.append(minute)
            self._left.append(_room(caps, minute) - drawn)

    def least(self, start: int, until: int) -> int:
        """Return the least that is left in any minute of a window."""
        first = bisect_right(self._from, start) - 1
        return min(left for at, left in zip(self._from[first:], self._left[first:], strict=True) if at < until)

    def within(self, starts: Sequence[Window], length: int, needed: int) -> list[Window]:
        """Return of the possible starts those at which so much is left for `length` minutes, as windows in order."""
        short: list[Window] = []
        for nth, (at, left) in enumerate(zip(self._from, self._left, strict=True)):
            if left < needed:
                until = self._from[nth + 1] if nth + 1 < len(self._from) else FOREVER
                short.append((at - length + 1, until - 1))
        found: list[Window] = []
        for first, last in starts:
            at = first
            for begin, end in short:
                if begin > last:
                    break
                if at < begin:
                    found.append((at, begin - 1))
                at = max(at, end + 1)
            if at <= last:
                found.append((at, last))
        return found


def _room(caps: Sequence[Cap], minute: int) -> int:
    """Return the least that the caps leave that hold in a minute; more than anybody draws where none does."""
    return min((room for until, room in caps if minute < until), default=NO_CAP)


NO_CAP = 10**15
"""Milliwatt that no site has: a gigawatt a thousand times over."""
