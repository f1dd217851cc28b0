"""The books of bookings, kept from the events alone: no node is booked twice, and a window is left to its owner in time.

Who is no spot ends before it by his limit; at its first instant no spot is there that was not told in time to leave.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eisbach.app.event_body import Body
from eisbach.app.events import JobStopping
from eisbach.app.events_booking import BookingEnded, BookingExtended, BookingMade, BookingMoved, BookingReduced


@dataclass(slots=True)
class Booked:
    """A window and its nodes, as events say them."""

    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    lost: tuple[str, ...] = ()
    """nodes that failed and were not replaced: the shortfall that is recorded"""


@dataclass(slots=True)
class Stay:
    """An attempt of spot: its nodes, when it was planned, and by when it was told to be gone (None: it was not)."""

    nodes: tuple[str, ...]
    since_ms: int
    leaves_ms: int | None = None


class BookingBooks:
    """Bookings that are not over, by name, and the spot that holds nodes."""

    def __init__(self) -> None:
        self.open: dict[str, Booked] = {}
        self.made = 0
        self.stays: dict[str, Stay] = {}
        self._coming: list[tuple[int, str]] = []

    def first_instants(self, at_ms: int) -> Iterator[str]:
        """Yield the spot that is on nodes of a booking whose window has begun since the last event (1). Before an event is taken.

        Where it was told in time, that it is late is the engine's fault and not a decision's. Other work ends before by its limit
        (`against`).
        """
        while self._coming and self._coming[0][0] <= at_ms:
            from_ms, name = heapq.heappop(self._coming)
            booked = self.open.get(name)
            if booked is None or booked.from_ms != from_ms:
                continue
            for attempt, stay in self.stays.items():
                is_there = stay.since_ms < from_ms and not set(stay.nodes).isdisjoint(booked.nodes)
                if is_there and (stay.leaves_ms is None or stay.leaves_ms > from_ms):
                    told = "was not told to leave" if stay.leaves_ms is None else f"was told to leave by {stay.leaves_ms}"
                    yield f"1: {attempt} is on nodes of {name} at the first instant of its window, {from_ms}, and {told}"

    def spot_planned(self, at_ms: int, attempt: str, nodes: Iterable[str]) -> None:
        """Spot holds nodes from now on."""
        self.stays[attempt] = Stay(tuple(nodes), at_ms)

    def stopping(self, at_ms: int, body: JobStopping) -> None:
        """An attempt was told to leave; being told again can only bring that nearer."""
        stay, leaves_ms = self.stays.get(body.attempt), at_ms + body.notice_ms + body.grace_ms
        if stay is not None:
            stay.leaves_ms = leaves_ms if stay.leaves_ms is None else min(stay.leaves_ms, leaves_ms)

    def take(self, body: Body) -> Iterator[str]:
        """Take an event; yield what it breaks (1)."""
        if isinstance(body, BookingMade):
            self.made += 1
            self.open[body.booking] = Booked(tuple(body.nodes), body.from_ms, body.until_ms)
            heapq.heappush(self._coming, (body.from_ms, body.booking))
            yield from self._alone(body.booking)
        elif isinstance(body, BookingExtended):
            self.open[body.booking].until_ms = body.until_ms
            yield from self._alone(body.booking)
        elif isinstance(body, BookingMoved | BookingReduced):
            self.open[body.booking].nodes = tuple(body.nodes)
            if isinstance(body, BookingReduced):
                self.open[body.booking].lost = tuple(body.lost)
                self.open[body.booking].until_ms = body.until_ms or self.open[body.booking].until_ms
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
