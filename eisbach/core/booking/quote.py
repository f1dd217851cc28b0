"""A quote: up to five options for a gang of whole nodes, the earliest, the cheapest and the one with the least carbon among them.

`options` reads no clock and changes nothing. It looks at every stand of the wanted flavour: which starts there are
(timetable), what the hours cost and emit (rates), and names the nodes only of the few options that it answers with.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eisbach.core.booking.option import Mark, Option
from eisbach.core.booking.powered import PowerLeft
from eisbach.core.booking.rates import Rates
from eisbach.core.booking.timetable import NEAR, Ask, Stand, Window, choose, free_at, windows
from eisbach.core.vocabulary.quantities import MINUTE_MS

OPTIONS_MAX = 5
PERMILLE = 1000
APART = 60
"""Options of one site begin at least so many minutes apart: nobody chooses between two of the same hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A stand with what its time costs.

    `price_hour` is micro-euro for an hour of one node, of which `price` gives thousandths by the hour; `draw_mw` what one node draws at its
    rating with the site's share of cooling and losses, `carbon` grams of CO2 equivalent a kWh by the hour (None: nobody
    says). `power` is what caps leave beside what is booked (None: there is no cap), of which each node needs `node_mw`.
    """

    stand: Stand
    price_hour: int
    price: Rates
    draw_mw: int
    carbon: Rates | None = None
    power: PowerLeft | None = None
    node_mw: int = 0


@dataclass(frozen=True, slots=True)
class _Start:
    """A possible start with what it costs and emits; `nth` is its offer's place, so that equal starts have an order."""

    at: int
    nth: int
    price: int
    carbon_g: int | None


def options(
    offers: Sequence[Offer], ask: Ask, ready: Mapping[str, int], closed: Collection[str]
) -> tuple[Option, ...]:
    """Return the options for a gang, the marked ones first; none where it never fits in time.

    `ready` says from which minute nodes are free of running work, `closed` names the nodes that nobody may book.
    """
    starts: list[_Start] = []
    cheapest: list[_Start] = []
    cleanest: list[_Start] = []
    others: list[_Start] = []
    for nth, offer in enumerate(offers):
        found = _windows(offer, ask, ready, closed)
        if not found:
            continue
        starts.append(_start(offer, nth, ask, found[0][0]))
        lowest = offer.price.lowest(found, ask.length)
        if lowest is not None:
            cheapest.append(_start(offer, nth, ask, lowest[1]))
        clean = offer.carbon.lowest(found, ask.length) if offer.carbon is not None else None
        if clean is not None:
            cleanest.append(_start(offer, nth, ask, clean[1]))
        others += [_start(offer, nth, ask, at) for at in _later(found)]
    if not starts:
        return ()
    marked: dict[tuple[int, int], tuple[_Start, list[Mark]]] = {}
    _mark(marked, min(starts, key=lambda one: (one.at, one.price, one.nth)), Mark.EARLIEST)
    _mark(marked, min(cheapest, key=lambda one: (one.price, one.at, one.nth)), Mark.CHEAPEST)
    if cleanest:
        _mark(marked, min(cleanest, key=lambda one: (one.carbon_g or 0, one.at, one.nth)), Mark.LEAST_CARBON)
    chosen = list(marked.values())
    next_best = sorted(starts + cheapest + cleanest + others, key=lambda one: (one.price, one.at, one.nth))
    for start in next_best:
        if len(chosen) == OPTIONS_MAX:
            break
        if all(start.nth != other.nth or abs(start.at - other.at) >= APART for other, _ in chosen):
            chosen.append((start, []))
    named = (_option(offers[start.nth], ask, start, tuple(marks), ready, closed) for start, marks in chosen)
    return tuple(option for option in named if option is not None)


def _windows(offer: Offer, ask: Ask, ready: Mapping[str, int], closed: Collection[str]) -> list[Window]:
    """Return the starts at a stand: those near, and the later ones only where one of them could be better than all of these.

    The bound is the lowest price, and carbon, that any of them would have if all nodes were free.
    """
    near = replace(ask, last=min(ask.last, ask.first + NEAR))
    found = _powered(offer, near, windows(offer.stand, near, ready, closed))
    if near.last == ask.last:
        return found
    rest = [(near.last + 1, ask.last)]
    for rates in (offer.price, offer.carbon):
        best = rates.lowest(found, ask.length) if rates is not None else None
        bound = rates.lowest(rest, ask.length) if rates is not None else None
        if not found or (best is not None and bound is not None and bound[0] < best[0]):
            return _powered(offer, ask, windows(offer.stand, ask, ready, closed))
    return found


def _powered(offer: Offer, ask: Ask, found: list[Window]) -> list[Window]:
    """Return of the possible starts those for which the site's caps leave enough."""
    return found if offer.power is None else offer.power.within(found, ask.length, ask.nodes * offer.node_mw)


def _later(found: Sequence[Window]) -> Iterable[int]:
    """Yield a few starts after the first: where the next windows begin, or else later in the one that there is."""
    yield from (first for first, _ in found[1:4])
    first, last = found[0]
    yield from (at for at in (first + 6 * APART, first + 24 * APART) if at <= last)


def _mark(marked: dict[tuple[int, int], tuple[_Start, list[Mark]]], start: _Start, mark: Mark) -> None:
    marked.setdefault((start.nth, start.at), (start, []))[1].append(mark)


def _start(offer: Offer, nth: int, ask: Ask, at: int) -> _Start:
    carbon = carbon_of(offer, ask.nodes, at, ask.length) if offer.carbon is not None else None
    return _Start(at, nth, price_of(offer, ask.nodes, at, ask.length), carbon)


def price_of(offer: Offer, nodes: int, at: int, length: int) -> int:
    """Return the micro-euro that nodes cost for so many minutes, rounded down once."""
    return offer.price_hour * nodes * offer.price.total(at, length) // (PERMILLE * 60)


def energy_wh_of(offer: Offer, nodes: int, length: int) -> int:
    """Return the watt-hours that nodes draw from the grid in so many minutes at their rating, rounded down."""
    return offer.draw_mw * nodes * length // (60 * 1000)


def carbon_of(offer: Offer, nodes: int, at: int, length: int) -> int:
    """Return the grams of CO2 equivalent of that energy, each hour at its own figure, rounded down."""
    assert offer.carbon is not None
    return offer.draw_mw * nodes * offer.carbon.total(at, length) // (60 * 1_000_000)


def _option(
    offer: Offer, ask: Ask, start: _Start, marks: tuple[Mark, ...], ready: Mapping[str, int], closed: Collection[str]
) -> Option | None:
    free = free_at(offer.stand, ask, start.at, ready, closed)
    placed = choose(offer.stand, ask, free)
    if placed is None:
        return None
    nodes, level, domain = placed
    return Option(
        site=offer.stand.site,
        flavour=offer.stand.flavour,
        nodes=nodes,
        level=level,
        domain=domain,
        from_ms=start.at * MINUTE_MS,
        until_ms=(start.at + ask.length) * MINUTE_MS,
        price=start.price,
        energy_wh=energy_wh_of(offer, ask.nodes, ask.length),
        carbon_g=start.carbon_g,
        marks=marks,
    )
