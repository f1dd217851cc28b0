"""What the caps on a site's power leave bookings over time: what is booked then counts at its rating, all together."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from eisbach.core.booking.timetable import FOREVER, Window

Draw = tuple[int, int, int]
"""From and until which minute somebody may draw how many milliwatt above rest."""
Cap = tuple[int, int]
"""Until which minute a cap holds (FOREVER: nobody knows), and how many milliwatt above rest it leaves to all work."""


class Booked:
    """What is booked at a site may draw over time, all together. It follows node by node, so that another booking costs little."""

    __slots__ = ("_added", "_grows", "_minutes", "_of_node")

    def __init__(self) -> None:
        self._grows: dict[int, int] = {}
        self._minutes: list[int] = []
        self._added = 0
        self._of_node: dict[str, tuple[Draw, ...]] = {}

    def put(self, node: str, draws: Iterable[Draw]) -> None:
        """Say all that is booked on a node, in place of what was."""
        before, after = self._of_node.get(node, ()), tuple(draws)
        if before != after:
            self._of_node[node] = after
            self._add(before, -1)
            self._add(after, 1)

    def steps(self) -> tuple[list[int], list[int]]:
        """Return the minutes at which what is left changes, in order, and by how much it grows there."""
        if self._added > len(self._minutes) // 2:  # minutes at which nothing changes any more are forgotten now and then
            self._grows = {minute: grow for minute, grow in self._grows.items() if grow}
            self._minutes, self._added = list(self._grows), 0
        self._minutes.sort()  # all but the newest are in order, and that is what this sort is fast at
        return self._minutes.copy(), list(map(self._grows.__getitem__, self._minutes))

    def _add(self, draws: Sequence[Draw], sign: int) -> None:
        grows = self._grows
        for start, until, draw in draws:
            for minute, grow in ((start, -sign * draw), (until, sign * draw)):
                before = grows.get(minute)
                if before is None:
                    self._minutes.append(minute)
                    self._added += 1
                grows[minute] = grow if before is None else before + grow


class PowerLeft:
    """Milliwatt that caps leave beside what is booked, from each minute to the next that is named."""

    __slots__ = ("_from", "_left")

    def __init__(self, caps: Sequence[Cap], booked: Booked) -> None:
        minutes, grows = booked.steps()
        before = NO_CAP
        for minute, room in _rooms(caps):
            at = bisect_left(minutes, minute)
            if at == len(minutes) or minutes[at] != minute:
                minutes.insert(at, minute)
                grows.insert(at, 0)
            grows[at] += room - before
            before = room
        self._from = minutes
        self._left = list(accumulate(grows, initial=NO_CAP))[1:]

    def least(self, start: int, until: int, without: Sequence[Draw] = ()) -> int:
        """Return the least that is left in any minute of a window, if some of what is booked were not."""
        first, last = bisect_right(self._from, start) - 1, bisect_left(self._from, until)
        if not without:
            return min(self._left[first:last])
        turns = {*self._from[first:last], *(at for draw in without for at in draw[:2] if start <= at < until)}
        return min(
            self._left[bisect_right(self._from, at) - 1] + sum(draw for begin, end, draw in without if begin <= max(at, start) < end) for at in turns
        )

    def within(self, starts: Sequence[Window], length: int, needed: int) -> list[Window]:
        """Return of the possible starts those at which so much is left for `length` minutes, as windows in order."""
        if not starts:
            return []
        first, last = bisect_right(self._from, starts[0][0]) - 1, bisect_left(self._from, starts[-1][1] + length)
        minutes = self._from[first:last]
        ends = [*minutes[1:], self._from[last] if last < len(self._from) else FOREVER]
        short: list[Window] = []
        for at, end, left in zip(minutes, ends, self._left[first:last], strict=True):
            if left < needed:
                begin, over = at - length + 1, end - 1
                if short and begin <= short[-1][1] + 1:
                    short[-1] = (short[-1][0], over)
                else:
                    short.append((begin, over))
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
