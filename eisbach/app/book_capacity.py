"""An option becomes a booking: looked at once more, its price set aside, its nodes entered into the calendar, all in one event.

A quote is good for one booking: the same option once more answers with it, another one is refused with its name, and what else
of the quote was held is let go. Where others were faster, the answer is a refusal with a new quote in it.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict

from eisbach.app import booking_money, money, outlook, quote_capacity, relieve_bookings
from eisbach.app.bad_nodes import is_another, is_bad
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_booking import BookingExtended, BookingMade, HoldReleased
from eisbach.app.expire_holds import releases
from eisbach.app.fold_booking import option_named
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking, Quote
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.booking.option import Option
from eisbach.core.booking.settle import Stretch, by_month, due_by
from eisbach.core.booking.timetable import LEVELS, Ask
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.power.draw import power_text
from eisbach.core.vocabulary.interval import date_text, minute_text
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

BOOKED = "booked"
"""Why a hold ends: another option of its quote became the booking."""


def command(
    actor: Actor, sites: Mapping[str, SiteFacts], *, project: str, option: str, on_fault: OnFault = OnFault.EXTEND
) -> Command:
    """Return the command that books an option of a project's quote; one of another project is as unknown as none.

    `on_fault` is what the owner gets for nodes that fail and are not replaced.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if due := releases(state, context.now):
            return Decision(events=due, again=True)
        quote, chosen = quote_of(state, project, option), option_named(state, option)
        before = (quote.booked.get(option) if quote is not None else None) or _booked_from(state, project, option)
        if before is not None:
            return Decision(reply={"booking": before, "option": option, "again": True})
        used = used_up(quote, option) if quote is not None and chosen is not None else None
        if used is not None:
            return used
        if quote is None or chosen is None or _has_expired(state, quote, option, context.now):
            return expired(option, quote.expires_ms if quote is not None and chosen is not None else None)
        opened = money.open_period(state, quote.project, context.now)
        if opened is not None:
            return Decision(events=(opened,), again=True)
        if chosen.from_ms < context.now:
            return _taken(state, context, actor, sites, quote, chosen, "its window has begun")
        others = _held_beside(state, quote, option)
        met = conflict(state, chosen, (option, *(one.option for one in others)), context.now)
        if met:
            return _taken(state, context, actor, sites, quote, chosen, met)
        if quote.extends:
            return _extend(state, context, actor, quote, option, chosen)
        wanted = by_month([_stretch(chosen)], chosen.from_ms, chosen.until_ms)
        refusal = booking_money.lacking(state, quote.project, wanted)
        if refusal is not None:
            return refusal
        made = _made(state, context, actor, quote, option, chosen, wanted, on_fault)
        reply = {"booking": made.booking, "option": option, "project": quote.project, "price": chosen.price, "again": False}
        return Decision(events=(*others, made), reply=reply, status=201)

    return decide


def used_up(quote: Quote, option: str) -> Refusal | None:
    """Return the refusal of an option whose quote became a booking by another one; None where none was booked."""
    before = next(((name, booking) for name, booking in quote.booked.items() if name != option), None)
    if before is None:
        return None
    return Refusal(
        Reason.ALREADY_BOOKED,
        f"A quote is good for one booking, and {before[0]} of this one is the booking {before[1]}",
        "Ask for a new quote for a second booking (`eisbach quote`)",
        "option",
        {"option": option, "booked_option": before[0], "booking": before[1]},
    )


def _held_beside(state: FactoryState, quote: Quote, option: str) -> tuple[HoldReleased, ...]:
    """Return the events that let go what else of a quote is held when one of its options is booked."""
    return tuple(
        HoldReleased(quote=hold.quote, option=hold.option, project=hold.project, cause=BOOKED)
        for hold in state.booking.holds.values()
        if hold.quote == quote.quote and hold.option != option
    )


def expired(option: str, at_ms: int | None = None) -> Refusal:
    """Return the refusal of an option that no quote names any more; `at_ms` is when its quote expired, None where nobody knows one."""
    why = f"its quote expired at {minute_text(at_ms)}" if at_ms is not None else "it has expired, or there was none"
    return Refusal(
        Reason.QUOTE_EXPIRED,
        f"No quote in force names the option {option!r}: {why}",
        "Ask for a new quote (`eisbach quote`)",
        "option",
        {"option": option},
    )


def conflict(state: FactoryState, chosen: Option, names: Collection[str], now: int) -> str:
    """Return in words why the nodes of an option cannot be had any more, empty where they can.

    `names` is what it is held or booked by: its own entries are in nobody's way.
    """
    calendar = state.scheduler.calendar
    ready = outlook.ready_minutes(state, now)
    for node in chosen.nodes:
        if is_bad(state, node):
            return f"the node {node} takes no work"
        if is_another(state.scheduler.fleet.nodes[node], chosen.site, chosen.flavour):
            return f"the node {node} is none of {chosen.flavour} any more"
        if ready.get(node, 0) * MINUTE_MS > chosen.from_ms:
            return f"the node {node} is in use beyond the start of the window"
        met = _met(calendar, node, chosen, names)
        if met is not None and met.kind.is_tenants:
            return f"the node {node} was taken"
        if met is not None:
            return f"the node {node} closes at {minute_text(met.from_ms)} ({met.id})"
    lacking = outlook.power_lacks(state, chosen.nodes, chosen.from_ms, chosen.until_ms, names)
    if lacking is not None:
        needed, left = (power_text(mw) for mw in lacking)
        return f"the cap on the power of {chosen.site} leaves {left} beside what is booked then, and {needed} are needed"
    return ""


def _met(calendar: Calendar, node: str, chosen: Option, names: Collection[str]) -> Entry | None:
    """Return the first entry of a node that stands in the way of an option, or None."""
    own = {(EntryKind.BOOKING, name) for name in names}
    return next((entry for entry in calendar.meeting(node, chosen.from_ms, chosen.until_ms) if entry.key not in own), None)


def _has_expired(state: FactoryState, quote: Quote, option: str, now: int) -> bool:
    hold = state.booking.holds.get(option)
    return quote.expires_ms <= now and (hold is None or hold.until_ms <= now)


def quote_of(state: FactoryState, project: str, option: str) -> Quote | None:
    """Return the quote that an option belongs to where it is one of this project's.

    A number is written in one way only (no 01, no other alphabet's digits), so that an option has one name. That is asked
    here and not where events are folded: a log may hold what was taken before.
    """
    name, _, nth = option.rpartition(".")
    quote = state.booking.quotes.get(name)
    has_one_name = nth.isascii() and not nth.startswith("0")
    return quote if quote is not None and has_one_name and quote.project == project else None


def _booked_from(state: FactoryState, project: str, option: str) -> str | None:
    """Return the booking that came of an option whose quote is forgotten already."""
    known = state.booking.bookings.values()
    return next((one.booking for one in known if one.option == option and one.project == project), None)


def _stretch(chosen: Option) -> Stretch:
    return Stretch(chosen.from_ms, chosen.until_ms, chosen.price)


def _made(
    state: FactoryState, context: Context, actor: Actor, quote: Quote, name: str, chosen: Option, wanted: Mapping[str, int],
    on_fault: OnFault,
) -> BookingMade:
    return BookingMade(
        booking=context.ids.new("bkg", context.now),
        project=quote.project,
        option=name,
        site=chosen.site,
        simulated=state.sites[chosen.site].is_simulated,
        flavour=chosen.flavour,
        nodes=chosen.nodes,
        level=chosen.level,
        domain=chosen.domain,
        from_ms=chosen.from_ms,
        until_ms=chosen.until_ms,
        stretches=((chosen.from_ms, chosen.until_ms, chosen.price),),
        tariff=quote.tariff,
        rules=asdict(quote.rules),
        energy_wh=chosen.energy_wh,
        carbon_g=chosen.carbon_g,
        by=actor.token,
        transfers=booking_money.tuples(booking_money.reservations(state, quote.project, wanted)),
        on_fault=on_fault.value,
    )


def _extend(
    state: FactoryState, context: Context, actor: Actor, quote: Quote, name: str, chosen: Option
) -> Decision | Refusal:
    booking = booking_of(state, quote.extends, context.now)
    if isinstance(booking, Refusal):
        return booking
    if booking.until_ms != chosen.from_ms or booking.nodes != chosen.nodes:
        return Refusal(
            Reason.OPTION_TAKEN,
            f"The booking {booking.booking} has changed since this extension was quoted",
            f"Ask again with `eisbach booking extend {booking.booking}`",
            "option",
        )
    relief = relieve_bookings.before_change(state, booking, context.now)
    if relief is not None:
        return Decision(events=(relief,), again=True)
    stretches = (*booking.stretches, _stretch(chosen))
    wanted = by_month([_stretch(chosen)], chosen.from_ms, chosen.until_ms)
    refusal = booking_money.lacking(state, quote.project, wanted)
    if refusal is not None:
        return refusal
    now = max(booking.settled_ms, min(context.now, booking.until_ms))
    event = BookingExtended(
        booking=booking.booking,
        project=booking.project,
        option=name,
        until_ms=chosen.until_ms,
        stretches=tuple((one.from_ms, one.until_ms, one.price) for one in stretches),
        settled_ms=now,
        charged=due_by(stretches, now),
        energy_wh=booking.energy_wh + chosen.energy_wh,
        carbon_g=_sum(booking.carbon_g, chosen.carbon_g),
        by=actor.token,
        transfers=booking_money.tuples(booking_money.changed(state, booking, stretches, now)),
    )
    reply = {"booking": booking.booking, "option": name, "project": booking.project, "price": chosen.price, "again": False}
    return Decision(events=(event,), reply=reply, status=201)


def _sum(before: int | None, added: int | None) -> int | None:
    return before + added if before is not None and added is not None else None


def over(booking: str) -> Refusal:
    """Return the refusal of what is no longer possible with a booking that has ended."""
    return Refusal(
        Reason.BOOKING_OVER, f"The booking {booking} is over", "Ask for a new quote (`eisbach quote`)", "booking", {"booking": booking}
    )


def _taken(
    state: FactoryState, context: Context, actor: Actor, sites: Mapping[str, SiteFacts], quote: Quote, chosen: Option, why: str
) -> Decision | Refusal:
    """Return the refusal of an option that is gone, with a new quote for the same in it where there is one."""
    what = f"The option for {len(chosen.nodes)} nodes from {date_text(chosen.from_ms)} cannot be booked any more: {why}"
    tariff = state.prices.at(context.now)
    if quote.extends or tariff is None:
        return Refusal(Reason.OPTION_TAKEN, what, "Ask for a new quote (`eisbach quote`)", "option")
    ask = _same(chosen, tariff.booking.lead_ms, context.now)
    found = quote_capacity.search(state, sites, tariff, quote.project, chosen.flavour, ask, context.now)
    if isinstance(found, Refusal):
        return Refusal(Reason.OPTION_TAKEN, what, str(found), "option")
    event = quote_capacity.given(context, actor, quote.project, tariff, found)
    refusal = Refusal(
        Reason.OPTION_TAKEN,
        what,
        f"Choose one of the new options of {event.quote}",
        "option",
        {"quote": quote_capacity.told(state, event)},
    )
    return Decision(events=(event,), refusal=refusal)


def _same(chosen: Option, lead_ms: int, now: int) -> Ask:
    length = (chosen.until_ms - chosen.from_ms) // MINUTE_MS
    first = max(-(-(now + lead_ms) // MINUTE_MS), chosen.from_ms // MINUTE_MS)
    within = chosen.level if chosen.level in LEVELS else ""
    return Ask(nodes=len(chosen.nodes), length=length, first=first, last=first + quote_capacity.SEARCHED_MS // MINUTE_MS, within=within)


def booking_of(state: FactoryState, name: str, now: int) -> Booking | Refusal:
    """Return a booking that has not ended, or why there is none; after its window it is over, before a round says so."""
    known = state.booking.bookings.get(name)
    return known if known is not None and now < known.until_ms else over(name)
