"""The books of bookings, kept from the events alone: no node is booked twice, and who is no spot leaves a window to its owner."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eisbach.app.event_body import Body
from eisbach.app.events_booking import BookingEnded, BookingExtended, BookingMade, BookingMoved, BookingReduced


@dataclass(slots=True)
class Booked:
    """A window and its nodes, as events say them."""

    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    lost: tuple[str, ...] = ()
    """nodes that failed and were not replaced: the shortfall that is recorded"""


class BookingBooks:
    """Bookings that are not over, by name."""

    def __init__(self) -> None:
        self.open: dict[str, Booked] = {}
        self.made = 0

    def take(self, body: Body) -> Iterator[str]:
        """Take an event; yield what it breaks (1)."""
        if isinstance(body, BookingMade):
            self.made += 1
            self.open[body.booking] = Booked(tuple(body.nodes), body.from_ms, body.until_ms)
            yield from self._alone(body.booking)
        elif isinstance(body, BookingExtended):
            self.open[body.booking].until_ms = body.until_ms
            yield from self._alone(body.booking)
        elif isinstance(body, BookingMoved | BookingReduced):
            self.open[body.booking].nodes = tuple(body.nodes)
            if isinstance(body, BookingReduced):
                self.open[body.booking].lost = tuple(body.lost)
                self.open[body.booking].until_ms = body.until_ms or self.open[body.booking].until_ms
            if isinstance(body, BookingReduced) and body.until_ms:
                self.open[body.booking].until_ms = body.until_ms
            yield from self._alone(body.booking)
        elif isinstance(body, BookingEnded):
            self.open.pop(body.booking, None)

    def against(self, nodes: Iterable[str], at_ms: int, ends_ms: int, booking: str) -> Iterator[str]:
        """Yield the bookings of others that work on these nodes until `ends_ms` would meet."""
        names = set(nodes)
        for name, booked in self.open.items():
            if name != booking and at_ms < booked.until_ms and booked.from_ms < ends_ms and not names.isdisjoint(booked.nodes):
                yield name

    def _alone(self, booking: str) -> Iterator[str]:
        one = self.open[booking]
        for name, other in self.open.items():
            if name != booking and one.from_ms < other.until_ms and other.from_ms < one.until_ms:
                common = sorted(set(one.nodes) & set(other.nodes))
                if common:
                    yield f"1: {booking} and {name} are both booked on {', '.join(common)}"
