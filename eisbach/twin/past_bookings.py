"""Bookings of the past, booked once more: the same window and number of nodes, where the quote offers them again."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from eisbach.app import book_capacity, cancel_booking, extend_booking, quote_capacity
from eisbach.app import events as e
from eisbach.app.commands import SYSTEM
from eisbach.app.events_booking import CANCELLED, BookingEnded, BookingExtended, BookingMade, BookingReduced
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.twin.past_acts import Again, Deed
from eisbach.twin.run import Act
from eisbach.twin.world import World


class PastBookings:
    """Bookings made, extended and cancelled by their owners; what became of them otherwise follows, as it did then.

    Those that were made before the part that is played and are not over then are booked at its first instant. Where a window is open
    when the first job comes, or opens soon, that instant is so long before as quotes need (`lead_ms`), and the rest of the window is booked.
    """

    def __init__(self, again: Again, *, from_ms: int, until_ms: int) -> None:
        self._again, self._from_ms, self._until_ms = again, from_ms, until_ms
        self._before: dict[str, BookingMade] = {}
        self._ends: dict[str, int] = {}
        """booking -> when its window ends, as far as it was extended before"""
        self._deeds: list[tuple[int, Deed]] = []
        self._first_ms = 0
        self.asked = self.booked = 0
        self.take: dict[type[e.Body], Callable[[int, Any], None]] = {
            BookingMade: self._made,
            BookingExtended: self._extended,
            BookingReduced: self._reduced,
            BookingEnded: self._ended,
        }

    def lead_ms(self, first_ms: int) -> int:
        """Return how long before the first job, which comes at `first_ms`, bookings of before have to be made."""
        self._first_ms = first_ms
        leads = [(body, BookingRules(**body.rules).lead_ms) for body in self._before.values() if self._ends[body.booking] > first_ms]
        return max((lead_ms + MINUTE_MS for body, lead_ms in leads if body.from_ms < first_ms + lead_ms + MINUTE_MS), default=0)

    def acts(self, begin_ms: int) -> Iterator[Act]:
        """Yield what owners did."""
        for body in self._before.values():
            yield Act(begin_ms, partial(self._book, body, self._ends[body.booking]))
        for at_ms, deed in self._deeds:
            yield Act(max(begin_ms, at_ms), deed)

    def _made(self, at_ms: int, body: BookingMade) -> None:
        self._ends[body.booking] = body.until_ms
        if at_ms < self._from_ms:
            self._before[body.booking] = body
        elif at_ms < self._until_ms:
            self._deeds.append((at_ms, partial(self._book, body, body.until_ms)))

    def _extended(self, at_ms: int, body: BookingExtended) -> None:
        if at_ms < self._from_ms:
            self._ends[body.booking] = body.until_ms
        else:
            self._deeds.append((at_ms, partial(self._extend, body.booking, body.until_ms)))

    def _reduced(self, at_ms: int, body: BookingReduced) -> None:
        if at_ms < self._from_ms and body.until_ms:
            self._ends[body.booking] = body.until_ms

    def _ended(self, at_ms: int, body: BookingEnded) -> None:
        if at_ms < self._from_ms:
            self._before.pop(body.booking, None)
        elif body.cause == CANCELLED:
            self._deeds.append((at_ms, partial(self._cancel, body.booking)))

    def _book(self, body: BookingMade, until_ms: int, world: World) -> None:
        from_ms = max(body.from_ms, self._first_ms - self._first_ms % MINUTE_MS)  # quotes begin at full minutes
        if until_ms - from_ms < MINUTE_MS:
            return
        self.asked += 1
        project, sites = self._again.now(body.project), world.application.sites
        wanted = quote_capacity.Wanted(
            flavour=body.flavour, nodes=len(body.nodes), length_ms=until_ms - from_ms, from_ms=from_ms, until_ms=until_ms + MINUTE_MS,
            within=body.level,
        )  # fmt: skip
        quoted = self._again.ask(world, "a quote", quote_capacity.command(SYSTEM, sites, project=project, wanted=wanted))
        self._take_first(world, quoted, body.booking, project, OnFault(body.on_fault))

    def _take_first(self, world: World, quoted: dict[str, Any] | None, booking: str, project: str, on_fault: OnFault) -> None:
        if quoted is None:
            return
        if not quoted["options"]:
            self._again.refused["a booking (no option fits now)"] += 1
            return
        option, sites = quoted["options"][0]["option"], world.application.sites
        command = book_capacity.command(SYSTEM, sites, project=project, option=option, on_fault=on_fault)
        made = self._again.ask(world, "a booking", command)
        if made is not None:
            self.booked += 1
            self._again.ids[booking] = world.bookings[booking] = str(made["booking"])

    def _extend(self, booking: str, until_ms: int, world: World) -> None:
        now = world.state.booking.bookings.get(self._again.now(booking))
        if now is None or now.until_ms >= until_ms:
            return
        sites, length_ms = world.application.sites, until_ms - now.until_ms
        quoted = self._again.ask(
            world, "a longer booking", extend_booking.command(SYSTEM, sites, booking=now.booking, length_ms=length_ms)
        )
        if quoted is not None and quoted["options"]:
            option = quoted["options"][0]["option"]
            self._again.ask(world, "a longer booking", book_capacity.command(SYSTEM, sites, project=now.project, option=option))

    def _cancel(self, booking: str, world: World) -> None:
        now = self._again.ids.get(booking)
        if now in world.state.booking.bookings:
            self._again.ask(world, "the end of a booking", cancel_booking.command(SYSTEM, booking=str(now)))
