"""Bookings and a cap that was set after them: the time in which a site's power does not carry what is booked there costs less.

What lacks is shared: where the bookings whose windows are open need more than the cap leaves, the price of that time falls for each of
them by the part that is not carried, rounded up to a thousandth. It is settled up to each instant at which that part changes.
"""

from collections import Counter

from eisbach.app import booking_money, money, outlook
from eisbach.app.event_body import Body
from eisbach.app.events_booking import BookingSettled
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.booking.settle import PERMILLE, cut_between, due_by, joined, price_of, resale_share


def shortfalls(state: FactoryState, now: int) -> dict[str, int]:
    """Return of each capped site which part of what is booked there now its power does not carry, in thousandths; none where all is."""
    caps = state.scheduler.power_caps
    if not caps or not state.booking.bookings:
        return {}
    needed: Counter[str] = Counter()
    for booking in state.booking.bookings.values():
        if booking.site in caps and booking.from_ms <= now < booking.until_ms:
            needed[booking.site] += outlook.booked_mw(state, booking.nodes)
    found: dict[str, int] = {}
    for site, wanted in needed.items():
        left = max(0, caps[site] - state.scheduler.power.rest_mw(site))
        if wanted > left:
            found[site] = -(-(wanted - left) * PERMILLE // wanted)
    return found


def changes(state: FactoryState, now: int) -> list[Body]:
    """Return the events by which bookings follow a cap that has changed, for one booking of each project."""
    if not any(one.short_permille for one in state.booking.bookings.values()) and not state.scheduler.power_caps:
        return []
    short, seen, events = shortfalls(state, now), set[str](), list[Body]()
    for booking in state.booking.bookings.values():
        if booking.project not in seen and is_due(booking, short, now):
            seen.add(booking.project)
            opened = money.open_period(state, booking.project, now)
            events.append(opened or settled(state, booking, now, short.get(booking.site, 0)))
    return events


def is_due(booking: Booking, short: dict[str, int], now: int) -> bool:
    """Return whether another part of an open window's price than before is not carried from now on."""
    return booking.from_ms <= now < booking.until_ms and short.get(booking.site, 0) != booking.short_permille


def before_change(state: FactoryState, booking: Booking, now: int) -> BookingSettled | None:
    """Return the event that settles what a cap has left of a booking's time, before anything else changes it; None where none has."""
    at = min(now, booking.until_ms)
    if not booking.short_permille or at <= booking.settled_ms:
        return None
    return settled(state, booking, at, booking.short_permille)


def settled(state: FactoryState, booking: Booking, at: int, short_permille: int) -> BookingSettled:
    """Return the event that charges a booking up to an instant, with the part that is not carried from then on."""
    stretches = booking.stretches
    if booking.short_permille:
        cheaper = cut_between(stretches, booking.settled_ms, at, PERMILLE - booking.short_permille)
        stretches = joined(cheaper, at)  # or each settlement would hold one more than the one before
    credit = max(0, resale_share(booking.rules, booking.resold) - booking.credited)
    return BookingSettled(
        booking=booking.booking,
        project=booking.project,
        settled_ms=at,
        charged=due_by(stretches, at),
        credited=booking.credited + credit,
        transfers=booking_money.tuples(
            [*booking_money.settled_by(state, booking, stretches, at), *booking_money.credit(state, booking, credit)]
        ),
        stretches=tuple((one.from_ms, one.until_ms, one.price) for one in stretches) if booking.short_permille else (),
        short_permille=short_permille,
        relieved=booking.relieved + price_of(booking.stretches) - price_of(stretches),
    )
