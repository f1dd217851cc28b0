"""Folding events about quotes held, bookings and what becomes of them into the state."""

from collections.abc import Callable, Iterable
from typing import Any

from eisbach.app import events_booking as e
from eisbach.app.event_body import Body, TransferTuple
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking, Hold, Quote
from eisbach.core.admission.state import ActiveJob
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.booking.option import Mark, Option
from eisbach.core.booking.settle import Stretch, paid_inside
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger.transfer import RESERVED_BY
from eisbach.core.vocabulary.invariant import require


def _given(state: FactoryState, seq: int, at_ms: int, body: e.QuoteGiven) -> None:
    booking = state.booking
    held = {hold.quote for hold in booking.holds.values()}
    for name in [one.quote for one in booking.quotes.values() if one.expires_ms <= at_ms and one.quote not in held]:
        booking.quotes.pop(name)
    booking.quotes[body.quote] = Quote(
        quote=body.quote,
        project=body.project,
        expires_ms=body.expires_ms,
        tariff=body.tariff,
        rules=BookingRules(**body.rules),
        options=tuple(option_of(one) for one in body.options),
        extends=body.extends,
    )


def option_of(said: e.OptionTuple) -> Option:
    """Return an option as an event tells it."""
    marks, site, flavour, nodes, level, domain, from_ms, until_ms, price, energy_wh, carbon_g = said
    return Option(
        site=site, flavour=flavour, nodes=tuple(nodes), level=level, domain=domain, from_ms=from_ms, until_ms=until_ms,
        price=price, energy_wh=energy_wh, carbon_g=carbon_g, marks=tuple(Mark(one) for one in marks),
    )  # fmt: skip


def _held(state: FactoryState, seq: int, at_ms: int, body: e.OptionHeld) -> None:
    option = option_named(state, body.option)
    require(option is not None, "only an option of a known quote is held")
    assert option is not None
    state.booking.holds[body.option] = Hold(body.option, body.quote, body.project, body.until_ms)
    _enter(state, body.option, option.from_ms, option.until_ms, option.nodes)


def option_named(state: FactoryState, name: str) -> Option | None:
    """Return the option `<quote>.<n>`, or None where the quote is unknown or has none of that number."""
    quote, _, nth = name.rpartition(".")
    known = state.booking.quotes.get(quote)
    if known is None or not nth.isdecimal() or not 1 <= int(nth) <= len(known.options):
        return None
    return known.options[int(nth) - 1]


def _released(state: FactoryState, seq: int, at_ms: int, body: e.HoldReleased) -> None:
    state.booking.holds.pop(body.option)
    state.scheduler.calendar.remove(EntryKind.BOOKING, body.option)


def _made(state: FactoryState, seq: int, at_ms: int, body: e.BookingMade) -> None:
    if body.option in state.booking.holds:
        state.booking.holds.pop(body.option)
        state.scheduler.calendar.remove(EntryKind.BOOKING, body.option)
    booking = Booking(
        booking=body.booking,
        project=body.project,
        option=body.option,
        site=body.site,
        flavour=body.flavour,
        nodes=tuple(body.nodes),
        level=body.level,
        from_ms=body.from_ms,
        until_ms=body.until_ms,
        stretches=_stretches(body.stretches),
        tariff=body.tariff,
        rules=BookingRules(**body.rules),
        settled_ms=body.from_ms,
        energy_wh=body.energy_wh,
        carbon_g=body.carbon_g,
        on_fault=OnFault(body.on_fault),
    )
    _reserve(booking, body.transfers)
    state.booking.bookings[body.booking] = booking
    quote = state.booking.quotes.get(body.option.rpartition(".")[0])
    if quote is not None:
        quote.booked[body.option] = body.booking
    _enter(state, body.booking, body.from_ms, body.until_ms, booking.nodes)
    _shake(state, booking.site)


def _extended(state: FactoryState, seq: int, at_ms: int, body: e.BookingExtended) -> None:
    booking = state.booking.bookings[body.booking]
    if body.option in state.booking.holds:
        state.booking.holds.pop(body.option)
        state.scheduler.calendar.remove(EntryKind.BOOKING, body.option)
    _settle(booking, body)
    booking.until_ms, booking.stretches = body.until_ms, _stretches(body.stretches)
    booking.energy_wh, booking.carbon_g = body.energy_wh, body.carbon_g
    state.scheduler.calendar.remove(EntryKind.BOOKING, body.booking)
    _enter(state, body.booking, booking.from_ms, booking.until_ms, booking.nodes)
    _shake(state, booking.site)
    quote = state.booking.quotes.get(body.option.rpartition(".")[0])
    if quote is not None:
        quote.booked[body.option] = body.booking


def _moved(state: FactoryState, seq: int, at_ms: int, body: e.BookingMoved) -> None:
    booking = state.booking.bookings[body.booking]
    booking.nodes = tuple(body.nodes)
    state.scheduler.calendar.move(EntryKind.BOOKING, body.booking, booking.nodes)


def _reduced(state: FactoryState, seq: int, at_ms: int, body: e.BookingReduced) -> None:
    booking = state.booking.bookings[body.booking]
    _settle(booking, body)
    booking.nodes, booking.stretches, booking.lost = tuple(body.nodes), _stretches(body.stretches), tuple(body.lost)
    if body.until_ms:
        booking.given = (*booking.given, (booking.until_ms, body.until_ms))
        booking.until_ms = body.until_ms
    state.scheduler.calendar.remove(EntryKind.BOOKING, body.booking)
    _enter(state, body.booking, booking.from_ms, booking.until_ms, booking.nodes)
    _shake(state, booking.site)


def _settled(state: FactoryState, seq: int, at_ms: int, body: e.BookingSettled) -> None:
    booking = state.booking.bookings[body.booking]
    _settle(booking, body)
    booking.credited, booking.short_permille, booking.relieved = body.credited, body.short_permille, body.relieved
    if body.stretches:
        booking.stretches = _stretches(body.stretches)


def _ended(state: FactoryState, seq: int, at_ms: int, body: e.BookingEnded) -> None:
    booking = state.booking.bookings.pop(body.booking)
    _reserve(booking, body.transfers)
    require(not any(booking.reserved.values()), "a booking that has ended holds no reservation")
    booking.charged, booking.ended_ms = body.charged, max(1, min(at_ms, booking.until_ms))
    booking.until_ms = max(booking.ended_ms, booking.from_ms)
    state.scheduler.calendar.remove(EntryKind.BOOKING, body.booking)
    state.booking.closing[body.booking] = booking
    _shake(state, booking.site)


def _closed(state: FactoryState, seq: int, at_ms: int, body: e.BookingClosed) -> None:
    state.booking.closing.pop(body.booking)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {
    e.QuoteGiven: _given,
    e.OptionHeld: _held,
    e.HoldReleased: _released,
    e.BookingMade: _made,
    e.BookingExtended: _extended,
    e.BookingMoved: _moved,
    e.BookingReduced: _reduced,
    e.BookingSettled: _settled,
    e.BookingEnded: _ended,
    e.BookingClosed: _closed,
}


def enter_all(state: FactoryState) -> None:
    """Put every hold and booking of a snapshot into the calendar."""
    for hold in state.booking.holds.values():
        option = option_named(state, hold.option)
        require(option is not None, "a hold is on an option of a known quote")
        assert option is not None
        _enter(state, hold.option, option.from_ms, option.until_ms, option.nodes)
    for booking in state.booking.bookings.values():
        _enter(state, booking.booking, booking.from_ms, booking.until_ms, booking.nodes)


def note_used(state: FactoryState, job: ActiveJob, at_ms: int) -> None:
    """The owner's job runs in its booking: it is no no-show."""
    booking = state.booking.bookings.get(job.booking)
    if booking is not None and not booking.used_ms:
        booking.used_ms = max(1, at_ms)


def note_paid(state: FactoryState, job: ActiveJob, held_ms: int, charged: int) -> None:
    """Spot was charged for shares that it held, or its charge is taken back: what of that was on booked nodes is noted.

    `held_ms` and `charged` are the attempt's totals; what was noted before is what its account says.
    """
    known, account = state.booking, state.accounts[job.job]
    amount = charged - account.attempt_charged
    if not amount or job.capacity_class is not CapacityClass.SPOT or job.running_ms is None or not (known.bookings or known.closing):
        return
    # What is taken back was charged since the attempt ran, what is charged now since its last settlement.
    held_from = job.running_ms + (account.attempt_settled_ms if amount > 0 else 0)
    held_until = job.running_ms + (held_ms if amount > 0 else account.attempt_settled_ms)
    sign = 1 if amount > 0 else -1
    inside: dict[str, list[tuple[int, int]]] = {}
    for share in job.shares:
        for booking in _on(state, share.node, held_from, held_until):
            inside.setdefault(booking.booking, []).append((booking.from_ms, booking.until_ms))
    for name, windows in inside.items():
        booking = known.bookings.get(name) or known.closing[name]
        booking.resold += sign * paid_inside(abs(amount), held_from, held_until, len(job.shares), windows)


def _on(state: FactoryState, node: str, from_ms: int, until_ms: int) -> Iterable[Booking]:
    for entry in state.scheduler.calendar.meeting(node, from_ms, until_ms):
        if entry.kind is EntryKind.BOOKING and entry.id in state.booking.bookings:
            yield state.booking.bookings[entry.id]
    for booking in state.booking.closing.values():
        if node in booking.nodes and booking.from_ms < until_ms and from_ms < booking.until_ms:
            yield booking


def _enter(state: FactoryState, name: str, from_ms: int, until_ms: int, nodes: tuple[str, ...]) -> None:
    state.scheduler.calendar.add(Entry(EntryKind.BOOKING, name, from_ms, until_ms, nodes))


def _shake(state: FactoryState, site: str) -> None:
    """What is booked at a site has changed: under a cap the others there get another part of its power."""
    if site in state.scheduler.power_caps:
        state.scheduler.agenda.are_bookings_shaken = True


def _stretches(said: Iterable[e.StretchTuple]) -> tuple[Stretch, ...]:
    return tuple(Stretch(*one) for one in said)


def _settle(booking: Booking, body: e.BookingExtended | e.BookingReduced | e.BookingSettled) -> None:
    _reserve(booking, body.transfers)
    booking.settled_ms, booking.charged = body.settled_ms, body.charged


def _reserve(booking: Booking, transfers: Iterable[TransferTuple]) -> None:
    """Follow what transfers change of a booking's reservations."""
    for debit, credit, amount, kind in transfers:
        sign = RESERVED_BY.get(kind)
        if sign is None:
            continue
        account = credit if sign > 0 else debit
        period = account.split("/")[1]
        booking.reserved[period] = booking.reserved.get(period, 0) + sign * amount
        if not booking.reserved[period]:
            del booking.reserved[period]
