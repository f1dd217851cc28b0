"""Which nodes were booked when: what is sold with a booking is sold once, whatever else is charged on its nodes."""

from collections.abc import Iterator, Mapping

from eisbach.app.event_body import Body
from eisbach.app.events_booking import (
    CANCELLED,
    LOST,
    BookingEnded,
    BookingExtended,
    BookingMade,
    BookingMoved,
    BookingReduced,
)


class BookedTime:
    """Windows by node, as the events of bookings say them. A node has at most one booking at a time (DESIGN, invariant 1)."""

    KINDS: tuple[type[Body], ...] = (BookingMade, BookingExtended, BookingMoved, BookingReduced, BookingEnded)

    def __init__(self) -> None:
        self._windows: dict[str, list[list[int]]] = {}
        """node -> [from, until] of each booking"""
        self._open: dict[str, dict[str, list[int]]] = {}
        """booking -> node -> its window"""
        self._short: list[tuple[str, str, list[int]]] = []
        """booking, node and the time for which it was booked and not there"""

    def take(self, now: int, body: Body) -> None:
        """Take an event about a booking."""
        if isinstance(body, BookingMade):
            self._open[body.booking] = {}
            for node in body.nodes:
                self._add(body.booking, node, body.from_ms, body.until_ms)
        elif isinstance(body, BookingExtended):
            for window in self._open[body.booking].values():
                window[1] = body.until_ms
        elif isinstance(body, BookingMoved | BookingReduced):
            self._moved(now, body)
        elif isinstance(body, BookingEnded):
            for node, window in self._open.pop(body.booking).items():
                if body.cause == LOST:
                    self._short.append((body.booking, node, [max(now, window[0]), window[1]]))
                window[1] = min(window[1], now)
            if body.cause == CANCELLED:
                for booking, _, missing in self._short:
                    if booking == body.booking:
                        missing[1] = min(missing[1], now)

    def _moved(self, now: int, body: BookingMoved | BookingReduced) -> None:
        known = self._open[body.booking]
        left = [node for node in known if node not in body.nodes]
        from_ms, until_ms = next((tuple(window) for window in known.values()), (now, now))
        if isinstance(body, BookingReduced) and body.until_ms:  # longer time in place of the nodes that are lost
            until_ms = body.until_ms
            for node in body.nodes:
                known[node][1] = until_ms
        for node in left:
            window = known.pop(node)
            if isinstance(body, BookingReduced):
                self._short.append((body.booking, node, [max(now, window[0]), window[1]]))
            window[1] = min(window[1], max(window[0], now))
        for node in body.nodes:
            if node not in known:
                self._add(body.booking, node, max(from_ms, now), until_ms)

    def _add(self, booking: str, node: str, from_ms: int, until_ms: int) -> None:
        window = [from_ms, until_ms]
        self._open[booking][node] = window
        self._windows.setdefault(node, []).append(window)

    def within(self, node: str, from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a time in which a node was booked."""
        for begins, ends in self._windows.get(node, ()):
            since, until = max(begins, from_ms), min(ends, until_ms)
            if since < until:
                yield since, until

    def all(self, until_ms: int) -> Iterator[tuple[str, int, int]]:
        """Yield each node that was booked, with from when until when, up to an instant."""
        for node, windows in self._windows.items():
            for begins, ends in windows:
                if begins < min(ends, until_ms):
                    yield node, begins, min(ends, until_ms)

    def shortfall_gpu_ms(self, gpus_of: Mapping[str, int], until_ms: int) -> int:
        """Return the GPU-milliseconds that bookings were short of up to an instant: of nodes that failed and were not replaced."""
        return sum(gpus_of[node] * max(0, min(missing[1], until_ms) - missing[0]) for _, node, missing in self._short)

    def gpu_ms(self, gpus_of: Mapping[str, int], until_ms: int) -> int:
        """Return the GPU-milliseconds that were booked up to an instant."""
        return sum(gpus_of[node] * (ends - begins) for node, begins, ends in self.all(until_ms))

    def __bool__(self) -> bool:
        """Return whether anything was ever booked."""
        return bool(self._windows)
