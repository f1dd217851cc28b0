"""When which nodes are free, and what their hours cost and emit: kept between quotes, and only as new as it has to be."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eisbach.app.bad_nodes import is_bad
from eisbach.app.model_energy import nodes_of
from eisbach.app.set_shares import price_permille
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.app.state_shares import FULL_PRICE
from eisbach.core.billing.tariff import Tariff
from eisbach.core.booking.powered import Booked, Cap, Draw, PowerLeft
from eisbach.core.booking.quote import PERMILLE, Offer
from eisbach.core.booking.rates import Rates, flat
from eisbach.core.booking.timetable import FOREVER, Stand, Timetable
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.power.budget import operate
from eisbach.core.power.draw import rating_of_node
from eisbach.core.power.series import Series
from eisbach.core.vocabulary.quantities import MINUTE_MS

NO_PLANT_PERMILLE = 1000
"""Of a site whose file says nothing of its power only the nodes themselves are counted."""


@dataclass(slots=True)
class Outlook:
    """The timetable of a fleet, and the rates of its sites beside the series that they were made from."""

    timetable: Timetable
    prices: dict[str, tuple[Series, Rates]] = field(default_factory=dict)
    carbon: dict[str, tuple[Series, Rates]] = field(default_factory=dict)
    booked: dict[str, Booked] = field(default_factory=dict)
    """capped site -> what is booked there may draw"""
    power: dict[str, tuple[list[Cap], PowerLeft]] = field(default_factory=dict)
    """site -> its caps as they were, and what they leave, until an entry of the calendar changes"""


def outlook_of(state: FactoryState) -> Outlook:
    """Return the outlook as the calendar stands now."""
    calendar = state.scheduler.calendar
    known: Outlook | None = state.outlook
    if known is None:
        nodes = (node for node in state.scheduler.fleet.nodes.values() if not node.removed)
        known = state.outlook = Outlook(Timetable(nodes, calendar))
    else:
        known.timetable.refresh(calendar.changed, calendar)
        if calendar.changed:
            known.power.clear()
            for site, booked in known.booked.items():
                _follow(state, site, booked, calendar.changed)
    calendar.changed.clear()
    return known


def stands(state: FactoryState, flavour: str, where: Where) -> list[Stand]:
    """Return the stands of a flavour at the sites where rules let a project be."""
    return [
        stand
        for stand in outlook_of(state).timetable.stands.values()
        if is_flavour(stand.flavour, flavour) and (where.sites is None or stand.site in where.sites)
    ]


def offer(
    state: FactoryState, sites: Mapping[str, SiteFacts], tariff: Tariff, project: str, stand: Stand, now: int
) -> Offer | None:
    """Return what the time of a stand's nodes costs a project and emits; None where the price list has no price for them."""
    node = state.scheduler.fleet.nodes[stand.nodes[0]]
    shape = NodeShape(cpu_milli=node.cpu_milli, memory_mib=node.memory_mib, gpus=node.gpus, flavour=node.flavour)
    price = tariff.price(shape, 1, CapacityClass.RESERVED)
    if price is None:
        return None
    facts, outlook = sites.get(stand.site), outlook_of(state)
    return Offer(
        stand=stand,
        price_hour=price * price_permille(state, project) // FULL_PRICE,
        price=_price(outlook, stand.site, facts),
        draw_mw=rating_of_node(node).busy_mw * pue_permille(state, facts, now) // 1000,
        carbon=_carbon(outlook, stand.site, facts),
        power=power_left(state, stand.site),
        node_mw=_above_rest(node),
    )


def pue_permille(state: FactoryState, facts: SiteFacts | None, now: int) -> int:
    """Return what a site draws for each watt of its racks when all its nodes are busy, in thousandths, as modelled."""
    if facts is None or facts.plant is None:
        return NO_PLANT_PERMILLE
    busy = sum(rating_of_node(node).busy_mw for node in nodes_of(state, facts.site))
    return -(-operate(facts.plant, busy, now).total_mw * 1000 // busy) if busy else NO_PLANT_PERMILLE


def ready_minutes(state: FactoryState, now: int) -> dict[str, int]:
    """Return from which minute nodes are free of the work that runs on them: its limit, or for spot its notice and grace.

    Work inside a booking ends with it, so that the booking's own entry says all.
    """
    ready = ready_but_for_spot(state, now)
    notice_ms = state.scheduler.policy.notice_ms
    for job in state.scheduler.spot.values():
        minute = -(-min(job.releases_ms(), now + notice_ms + job.grace_ms) // MINUTE_MS)
        for share in job.shares:
            if minute > ready.get(share.node, 0):
                ready[share.node] = minute
    return ready


def ready_but_for_spot(state: FactoryState, now: int) -> dict[str, int]:
    """Return the same where spot is in nobody's way: inside a booking it stays until the owner's work comes."""
    ready: dict[str, int] = {}
    for job in state.scheduler.holding.values():
        if job.capacity_class in (CapacityClass.RESERVED, CapacityClass.SPOT):
            continue
        until = job.releases_ms()
        minute = -(-until // MINUTE_MS)
        for share in job.shares:
            if minute > ready.get(share.node, 0):
                ready[share.node] = minute
    for node in state.scheduler.fleet.nodes.values():
        if node.from_ms > now:
            ready[node.node] = max(ready.get(node.node, 0), -(-node.from_ms // MINUTE_MS))
    return ready


def closed_nodes(state: FactoryState, stand: Stand) -> frozenset[str]:
    """Return the nodes of a stand that take nothing."""
    return frozenset(name for name in stand.nodes if is_bad(state, name))


def _price(outlook: Outlook, site: str, facts: SiteFacts | None) -> Rates:
    if facts is None or facts.price is None:
        return flat(PERMILLE)
    return _rates(outlook.prices, site, facts.price)


def _carbon(outlook: Outlook, site: str, facts: SiteFacts | None) -> Rates | None:
    if facts is not None and facts.grid_carbon is not None:
        return _rates(outlook.carbon, site, facts.grid_carbon)
    if facts is None or facts.carbon is None:
        return None
    return flat(facts.carbon.grid_g_per_kwh)


def _rates(known: dict[str, tuple[Series, Rates]], site: str, series: Series) -> Rates:
    found = known.get(site)
    if found is None or found[0] is not series:
        found = known[site] = (series, Rates(lambda at: max(0, series.at(at))))
    return found[1]


def power_left(state: FactoryState, site: str) -> PowerLeft | None:
    """Return what the caps on a site's power leave beside bookings and held options; None where there is no cap.

    A cap counts until its end where it has one, a plant's until the end that its series foresee, and for all time to come where
    nobody knows that. What a plant may be capped to on a later day is not reckoned with.
    """
    caps = state.energy.caps.get(site)
    if not caps:
        return None
    rest = state.scheduler.power.rest_mw(site)
    rooms = [(-(-cap.until_ms // MINUTE_MS) if cap.until_ms else FOREVER, cap.racks_mw - rest) for cap in caps.values()]
    known = outlook_of(state)
    before = known.power.get(site)
    if before is not None and before[0] == rooms:
        return before[1]
    booked = known.booked.get(site)
    if booked is None:
        booked = known.booked[site] = Booked()
        _follow(state, site, booked, state.scheduler.fleet.nodes)
    left = PowerLeft(rooms, booked)
    known.power[site] = (rooms, left)
    return left


def _follow(state: FactoryState, site: str, booked: Booked, nodes: Iterable[str]) -> None:
    """Say what is booked on some nodes, of those that stand at a site."""
    fleet, calendar = state.scheduler.fleet.nodes, state.scheduler.calendar
    for name in nodes:
        node = fleet.get(name)
        if node is not None and node.site == site:
            booked.put(name, [_draw(entry, _above_rest(node)) for entry in calendar.on(name) if entry.kind is EntryKind.BOOKING])


def _draw(entry: Entry, draw_mw: int) -> Draw:
    return (entry.from_ms // MINUTE_MS, -(-entry.until_ms // MINUTE_MS), draw_mw)


def power_lacks(
    state: FactoryState, nodes: Sequence[str], from_ms: int, until_ms: int, but_for: Collection[str]
) -> tuple[int, int] | None:
    """Return how many milliwatt equal nodes need together and the least that caps leave them in a window; None where that is enough.

    Bookings and held options in `but_for` count as if they were not.
    """
    node = state.scheduler.fleet.nodes[nodes[0]]
    power = power_left(state, node.site)
    if power is None:
        return None
    entries = (state.scheduler.calendar.get(EntryKind.BOOKING, name) for name in but_for)
    without = [_draw(one, booked_mw(state, one.nodes)) for one in entries if one is not None and _site_of(state, one) == node.site]
    needed, left = booked_mw(state, nodes), power.least(from_ms // MINUTE_MS, -(-until_ms // MINUTE_MS), without)
    return (needed, max(0, left)) if left < needed else None


def _site_of(state: FactoryState, entry: Entry) -> str:
    return state.scheduler.fleet.nodes[entry.nodes[0]].site


def booked_mw(state: FactoryState, nodes: Sequence[str]) -> int:
    """Return what equal nodes may draw above rest together."""
    return _above_rest(state.scheduler.fleet.nodes[nodes[0]]) * len(nodes)


def _above_rest(node: Node) -> int:
    rating = rating_of_node(node)
    return rating.rated_mw - rating.idle_mw
