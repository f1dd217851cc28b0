"""A longer window is quoted: the same nodes after the end of a booking, at a price of its own. Booking the option makes it so."""

from collections.abc import Mapping

from eisbach.app import outlook, quote_capacity
from eisbach.app.book_capacity import booking_of, conflict
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.expire_holds import releases
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.booking.option import Option
from eisbach.core.booking.quote import Offer, carbon_of, energy_wh_of, price_of
from eisbach.core.vocabulary.interval import length_text
from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, sites: Mapping[str, SiteFacts], *, booking: str, length_ms: int) -> Command:
    """Return the command that quotes how much longer a booking could last, and at which price."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if due := releases(state, context.now):
            return Decision(events=due, again=True)
        known = booking_of(state, booking, context.now)
        if isinstance(known, Refusal):
            return known
        tariff = state.prices.at(context.now)
        if tariff is None:
            return Refusal(Reason.NO_PRICE, "No price list is in force now", "Ask the operator to publish one")
        length = -(-length_ms // MINUTE_MS)
        until_ms = known.until_ms + length * MINUTE_MS
        rules = known.rules
        if length < 1 or until_ms - known.from_ms > rules.longest_ms or until_ms > context.now + rules.horizon_ms:
            return Refusal(
                Reason.INVALID_ARGUMENT,
                f"A booking cannot be made {length_text(length_ms)} longer",
                f"Give from 1 minute; in all it may last {rules.longest_ms // DAY_MS} days",
                "length",
            )
        stand = outlook.outlook_of(state).timetable.stands.get((known.site, known.flavour))
        if stand is None:
            return _impossible(booking, length, f"{known.site} has no nodes of {known.flavour} any more")
        offer = outlook.offer(state, sites, tariff, known.project, stand, context.now)
        if offer is None:
            return Refusal(Reason.NO_PRICE, f"The price list has no price for {known.flavour}", "Ask the operator to add one")
        option = _option(known, offer, length)
        met = conflict(state, option, (booking,), context.now)
        if met:
            return _impossible(booking, length, met)
        event = quote_capacity.given(context, actor, known.project, tariff, (option,), extends=booking)
        return Decision(events=(event,), reply=quote_capacity.told(state, event), status=201)

    return decide


def _impossible(booking: str, length: int, why: str) -> Refusal:
    return Refusal(
        Reason.NO_WINDOW,
        f"The booking cannot last {length} minutes longer on its nodes: {why}",
        "Ask for less, or book other nodes for the time after it (`eisbach quote`)",
        "length",
        {"booking": booking, "minutes": length},
    )


def _option(booking: Booking, offer: Offer, length: int) -> Option:
    at, nodes = booking.until_ms // MINUTE_MS, len(booking.nodes)
    return Option(
        site=booking.site,
        flavour=booking.flavour,
        nodes=booking.nodes,
        level=booking.level,
        domain="",
        from_ms=booking.until_ms,
        until_ms=booking.until_ms + length * MINUTE_MS,
        price=price_of(offer, nodes, at, length),
        energy_wh=energy_wh_of(offer, nodes, length),
        carbon_g=carbon_of(offer, nodes, at, length) if offer.carbon is not None else None,
    )
