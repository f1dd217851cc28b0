"""A quote: up to five options for nodes of a flavour, with prices that hold until it expires. It holds no nodes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

import msgspec

from eisbach.app import outlook
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_booking import OptionTuple, QuoteGiven
from eisbach.app.expire_holds import releases
from eisbach.app.places import where_for
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.tariff import Tariff
from eisbach.core.booking.option import Option
from eisbach.core.booking.quote import Offer, options
from eisbach.core.booking.timetable import LEVELS, Ask
from eisbach.core.capacity.health import Closure, ClosureKind
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.resolve import flavours_of
from eisbach.core.power.draw import power_text
from eisbach.core.vocabulary.interval import length_text, minute_text
from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

SEARCHED_MS = 92 * DAY_MS
"""How far ahead a quote looks where nobody says until when."""
CLOSURES_NAMED = 3
"""So many closures a refusal names."""
PAST_MS = MINUTE_MS
"""A start that lies back no further than this is meant as now."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to book: whole nodes for a time, begun and ended within a span (None: now, as far as is searched)."""

    flavour: str
    nodes: int
    length_ms: int
    from_ms: int | None = None
    until_ms: int | None = None
    within: str = ""


def command(actor: Actor, sites: Mapping[str, SiteFacts], *, project: str, wanted: Wanted) -> Command:
    """Return the command that gives a project a quote, or says why there is none."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if due := releases(state, context.now):
            return Decision(events=due, again=True)
        found = quote(state, context, actor, sites, project, wanted)
        if isinstance(found, Refusal):
            return found
        return Decision(events=(found,), reply=told(state, found), status=201)

    return decide


def quote(
    state: FactoryState, context: Context, actor: Actor, sites: Mapping[str, SiteFacts], project: str, wanted: Wanted
) -> QuoteGiven | Refusal:
    """Return the event that gives a quote, or why there is none."""
    if project not in state.projects:
        return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
    tariff = state.prices.at(context.now)
    if tariff is None:
        return Refusal(Reason.NO_PRICE, "No price list is in force now", "Ask the operator to publish one")
    ask = _ask(state, wanted, tariff.booking, context.now)
    if isinstance(ask, Refusal):
        return ask
    found = search(state, sites, tariff, project, wanted.flavour, ask, context.now)
    if isinstance(found, Refusal):
        return found
    return given(context, actor, project, tariff, found)


def given(
    context: Context, actor: Actor, project: str, tariff: Tariff, found: tuple[Option, ...], extends: str = ""
) -> QuoteGiven:
    """Return the event that gives a quote with these options."""
    return QuoteGiven(
        quote=context.ids.new("quo", context.now),
        project=project,
        expires_ms=context.now + tariff.booking.quote_ms,
        tariff=tariff.version,
        rules=asdict(tariff.booking),
        options=tuple(as_tuple(option) for option in found),
        by=actor.token,
        extends=extends,
    )


def search(
    state: FactoryState, sites: Mapping[str, SiteFacts], tariff: Tariff, project: str, flavour: str, ask: Ask, now: int
) -> tuple[Option, ...] | Refusal:
    """Return the options where the project's rules let it be, or why there are none."""
    offers = [
        offer
        for stand in outlook.stands(state, flavour, where_for(state, project))
        if (offer := outlook.offer(state, sites, tariff, project, stand, now)) is not None
    ]
    if not offers:
        return Refusal(
            Reason.NO_PRICE, f"No site where this project may be has {flavour} at a price", "Look at `eisbach offers`", "flavour"
        )
    closed = frozenset().union(*(outlook.closed_nodes(state, offer.stand) for offer in offers))
    ready = outlook.ready_minutes(state, now)
    found = options(offers, ask, ready, closed)
    if found:
        return found
    no_power = _no_power(ask, flavour, offers, ready, closed)
    return _too_tight(ask, flavour, offers) or no_power or _no_window(ask, flavour, _closures(state, offers, ask))


def _too_tight(ask: Ask, flavour: str, offers: list[Offer]) -> Refusal | None:
    """Return the refusal where no domain of the wanted level has so many nodes at any time, free or not."""
    if not ask.within:
        return None
    largest = max(max(offer.stand.sizes[ask.within].values(), default=0) for offer in offers)
    if largest >= ask.nodes:
        return None
    return Refusal(
        Reason.NO_WINDOW,
        f"No {ask.within} holds {ask.nodes} nodes of {flavour}; the largest has {largest}",
        "Ask for fewer nodes or a wider --within, or leave it out",
        "within",
        {"nodes": ask.nodes, "within": ask.within, "flavour": flavour, "largest": largest},
    )


def _no_power(
    ask: Ask, flavour: str, offers: list[Offer], ready: Mapping[str, int], closed: Collection[str]
) -> Refusal | None:
    """Return the refusal where nodes would be free in time, and nothing but the caps on the power of their sites stands in the way."""
    free = options([replace(offer, power=None) for offer in offers if offer.power is not None], ask, ready, closed)
    if not free:
        return None
    site = free[0].site
    offer = next(one for one in offers if one.stand.site == site and one.power is not None)
    assert offer.power is not None
    start = free[0].from_ms // MINUTE_MS
    needed, left = ask.nodes * offer.node_mw, max(0, offer.power.least(start, start + ask.length))
    return Refusal(
        Reason.NO_WINDOW,
        f"{ask.nodes} nodes of {flavour} need {power_text(needed)} above rest, and within {_searched(ask)} the cap on the power "
        f"of {site} does not leave that beside what is booked: {power_text(left)} are left from {minute_text(free[0].from_ms)}, when the nodes are free",
        "Ask for a later --until or fewer nodes; the operator may lift a cap of his (`eisbach site cap`)",
        "nodes",
        {"nodes": ask.nodes, "flavour": flavour, "site": site, "needed_mw": needed, "left_mw": left, "from_ms": free[0].from_ms},
    )


def _searched(ask: Ask) -> str:
    """Return in words how far was searched."""
    days = (ask.last + ask.length - ask.first) // 1440
    return f"the {days} days that were searched" if days > 1 else "the day that was searched"


def _closures(state: FactoryState, offers: list[Offer], ask: Ask) -> list[Closure]:
    """Return the maintenance windows and drains that close nodes of these offers within the span, by their start."""
    nodes = {name for offer in offers for name in offer.stand.nodes}
    first_ms, last_ms = ask.first * MINUTE_MS, (ask.last + ask.length) * MINUTE_MS
    known = state.health.closures.values()
    met = [one for one in known if one.meets(first_ms, last_ms) and not nodes.isdisjoint(one.nodes)]
    return sorted(met, key=lambda one: (one.from_ms, one.closure))


def _no_window(ask: Ask, flavour: str, closures: list[Closure]) -> Refusal:
    place = f" in one {ask.within}" if ask.within else ""
    return Refusal(
        Reason.NO_WINDOW,
        f"{ask.nodes} nodes of {flavour}{place} are not free together for {ask.length} minutes within {_searched(ask)}: "
        f"bookings, promised starts, maintenance and running work up to its limit count{_named(closures)}",
        "Ask for a later --until, a shorter time, fewer nodes, or leave --within out",
        "until",
        {
            "nodes": ask.nodes,
            "minutes": ask.length,
            "within": ask.within,
            "flavour": flavour,
            "closures": [one.closure for one in closures],
        },
    )


def _named(closures: list[Closure]) -> str:
    """Return in words which closures lie in the span: the first ones by name."""
    if not closures:
        return ""
    words = [
        f"{one.closure} closes {len(one.nodes)} nodes from {minute_text(one.from_ms)}"
        + (f" until {minute_text(one.until_ms)}" if one.kind is ClosureKind.MAINTENANCE else " for good")
        for one in closures[:CLOSURES_NAMED]
    ]
    more = f", and {len(closures) - CLOSURES_NAMED} more" if len(closures) > CLOSURES_NAMED else ""
    return f"; {', '.join(words)}{more}"


def _ask(state: FactoryState, wanted: Wanted, rules: BookingRules, now: int) -> Ask | Refusal:
    """Return the question for the timetable, or what is wrong with what is wanted."""
    for refusal in (_wrong_nodes(state, wanted), _wrong_span(wanted, rules, now)):
        if refusal is not None:
            return refusal
    earliest = now + rules.lead_ms
    first = -(-max(earliest, wanted.from_ms if wanted.from_ms is not None else 0) // MINUTE_MS)
    length = -(-wanted.length_ms // MINUTE_MS)
    until_ms = wanted.until_ms
    if until_ms is None:
        until_ms = min(first * MINUTE_MS + SEARCHED_MS + wanted.length_ms, now + rules.horizon_ms)
    last = until_ms // MINUTE_MS - length
    if last < first:
        return _wrong(
            "until",
            f"{length_text(wanted.length_ms)} do not fit between {minute_text(first * MINUTE_MS)}, the earliest start that is possible, "
            f"and {minute_text(until_ms)}",
            "Give a later --until or a shorter --for",
        )
    return Ask(nodes=wanted.nodes, length=length, first=first, last=last, within=wanted.within)


def _wrong_nodes(state: FactoryState, wanted: Wanted) -> Refusal | None:
    existing = flavours_of(state.scheduler.fleet)
    having = [node for name, nodes in existing.items() if is_flavour(name, wanted.flavour) for node in nodes]
    if not having:
        return Refusal(
            Reason.NO_SUCH_FLAVOUR,
            f"This factory has no nodes of the flavour {wanted.flavour!r}",
            f"It has: {', '.join(existing)}",
            "flavour",
            {"wanted": wanted.flavour, "existing": sorted(existing)},
        )
    if wanted.nodes < 1:
        return _wrong("nodes", f"{wanted.nodes} nodes cannot be booked", "Give a whole number from 1")
    if wanted.nodes > len(having):
        return Refusal(
            Reason.MORE_THAN_THE_SITE,
            f"{wanted.nodes} nodes of {wanted.flavour} are wanted, and there are {len(having)}",
            "Ask for fewer nodes",
            "nodes",
            {"nodes": wanted.nodes},
        )
    if wanted.within and wanted.within not in LEVELS:
        return _wrong("within", f"{wanted.within!r} is no level of the topology", f"Known are {', '.join(LEVELS)}")
    return None


def _wrong_span(wanted: Wanted, rules: BookingRules, now: int) -> Refusal | None:
    shortest, longest = rules.shortest_ms, rules.longest_ms
    if not shortest <= wanted.length_ms <= longest:
        return _wrong(
            "length",
            f"A booking of {length_text(wanted.length_ms)} is not possible",
            f"Give from {shortest // MINUTE_MS} minutes to {longest // DAY_MS} days",
        )
    if wanted.from_ms is not None and wanted.from_ms < now - PAST_MS:
        what = f"The window begins at {minute_text(wanted.from_ms)}, which is past: it is {minute_text(now)}"
        return _wrong("from", what, "Give a later --from, or leave it out")
    if wanted.until_ms is not None and wanted.until_ms <= now:
        what = f"The window ends by {minute_text(wanted.until_ms)}, which is past: it is {minute_text(now)}"
        return _wrong("until", what, "Give a later --until, or leave it out")
    if wanted.until_ms is not None and wanted.until_ms > now + rules.horizon_ms:
        what = f"The window ends at {minute_text(wanted.until_ms)}, more than {rules.horizon_ms // DAY_MS} days ahead"
        return _wrong("until", what, "Give an earlier --until")
    if wanted.from_ms is not None and wanted.from_ms + wanted.length_ms > now + rules.horizon_ms:
        what = f"The window ends at {minute_text(wanted.from_ms + wanted.length_ms)}, more than {rules.horizon_ms // DAY_MS} days ahead"
        return _wrong("from", what, "Give an earlier --from")
    return None


def _wrong(where: str, what: str, do: str) -> Refusal:
    return Refusal(Reason.INVALID_ARGUMENT, what[:1].upper() + what[1:], do, where)


def again(*, project: str, option: str) -> Callable[[FactoryState, int], dict[str, Any] | Refusal]:
    """Return the question for the quote that an option belongs to, as it was told."""

    def ask(state: FactoryState, now: int) -> dict[str, Any] | Refusal:
        known = state.booking.quotes.get(option.rpartition(".")[0])
        if known is None or known.project != project:
            return Refusal(Reason.QUOTE_EXPIRED, f"No quote in force names the option {option!r}", "Ask for a new quote", "option")
        event = QuoteGiven(
            quote=known.quote,
            project=project,
            expires_ms=known.expires_ms,
            tariff=known.tariff,
            rules=asdict(known.rules),
            options=tuple(as_tuple(one) for one in known.options),
            by="",
            extends=known.extends,
        )
        return told(state, event)

    return ask


def as_tuple(option: Option) -> OptionTuple:
    """Return an option as an event tells it."""
    return (
        tuple(mark.value for mark in option.marks), option.site, option.flavour, option.nodes, option.level, option.domain,
        option.from_ms, option.until_ms, option.price, option.energy_wh, option.carbon_g,
    )  # fmt: skip


def told(state: FactoryState, event: QuoteGiven) -> dict[str, Any]:
    """Return a quote as faces show it."""
    return {
        "quote": event.quote,
        "project": event.project,
        "expires_ms": event.expires_ms,
        "tariff": event.tariff,
        "rules": dict(event.rules),
        "extends": event.extends,
        "notice_ms": state.scheduler.policy.notice_ms,
        "power_caps": _caps(state, event),
        "options": [_option(state, event, nth, said) for nth, said in enumerate(event.options, 1)],
    }


def _caps(state: FactoryState, event: QuoteGiven) -> list[dict[str, Any]]:
    """Return the caps that the options of a quote were found under, each with the instant until which it is taken to last."""
    sites = sorted({said[1] for said in event.options})
    return [
        {"site": site, "source": source, "cause": cap.cause, "counts_until_ms": cap.until_ms or None}
        for site in sites
        for source, cap in sorted(state.energy.caps.get(site, {}).items())
    ]


def _option(state: FactoryState, event: QuoteGiven, nth: int, said: OptionTuple) -> dict[str, Any]:
    marks, site, flavour, nodes, level, domain, from_ms, until_ms, price, energy_wh, carbon_g = said
    place = state.sites[site]
    return {
        "option": f"{event.quote}.{nth}",
        "marks": list(marks),
        "site": site,
        "country": place.country,
        "simulated": place.is_simulated,
        "flavour": flavour,
        "nodes": list(nodes),
        "level": level,
        "domain": domain,
        "from_ms": from_ms,
        "until_ms": until_ms,
        "price": price,
        "energy_wh": energy_wh,
        "carbon_g": carbon_g,
        "label": "modelled",
        "cancel_free_until_ms": from_ms - event.rules["free_before_ms"],
    }
