"""Bookings leave nodes that cannot be used: they move to equal nodes, and where there are none they last longer or cost less.

A node cannot be used when it has left, is lost, takes no work or is of another flavour now, when it comes after the window has begun, or when maintenance
or a drain is entered for a time inside the booking's window. Work of the owner that still runs on a node keeps it until it ends. The batch in which
a node is lost decides it; a round tries again what waits for others to become free (app/move_bookings.py).
"""

from eisbach.app import booking_money, money, outlook, relieve_bookings
from eisbach.app.bad_nodes import is_another, is_bad
from eisbach.app.cancel_booking import ended
from eisbach.app.commands import SYSTEM, Context
from eisbach.app.event_body import Body
from eisbach.app.events_booking import LOST, BookingEnded, BookingMoved, BookingReduced
from eisbach.app.run_in_booking import ends_with
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.booking.move import moved
from eisbach.core.booking.settle import PERMILLE, Stretch, due_by, ending_of, longer_for, price_of, without_nodes
from eisbach.core.vocabulary.quantities import MINUTE_MS

CAUSE = "node-unusable"


def due_moves(state: FactoryState, context: Context) -> list[Body]:
    """Return the next moves of bookings; once they are true, asking again may bring more.

    It costs nothing while no node has become unusable since, no booking that waits for one begins, no work of an owner
    has left one, and what caps leave to the bookings of their sites is as it was.
    """
    agenda = state.scheduler.agenda
    if not agenda.are_bookings_shaken:
        return []
    events = next_moves(state, context.now) or relieve_bookings.changes(state, context.now)
    if not events:
        agenda.are_bookings_shaken = False
        note_soonest(state, context.now)
    return events


def note_soonest(state: FactoryState, now: int) -> None:
    """Have somebody look again when next something changes for a booking by itself, and so find the one after it."""
    soonest_ms = _soonest_ms(state, now)
    if soonest_ms is not None:
        state.scheduler.agenda.note(soonest_ms)


def _soonest_ms(state: FactoryState, now: int) -> int | None:
    """Return when something changes for a booking by itself: one begins whose nodes may come back until then, or one begins or
    ends at a site with a cap, which the others there share.
    """
    suspects, caps = _suspects(state), state.scheduler.power_caps
    instants: list[int] = []
    for booking in state.booking.bookings.values():
        if booking.site in caps:
            instants += (booking.from_ms, booking.until_ms)
        elif suspects and not suspects.isdisjoint(booking.nodes):
            instants.append(booking.from_ms)
    return min((at_ms for at_ms in instants if at_ms > now), default=None)


def _suspects(state: FactoryState) -> frozenset[str]:
    """Return the nodes that some booking may not be able to use: most of the time there are none."""
    if not state.booking.bookings:
        return frozenset()
    nodes = (name for name, node in state.scheduler.fleet.nodes.items() if node.removed or node.drained)
    closing = (name for closure in state.health.closures.values() for name in closure.nodes)
    fleet = state.scheduler.fleet.nodes
    others = (name for one in state.booking.bookings.values() for name in one.nodes if is_another(fleet[name], one.site, one.flavour))
    return frozenset((*nodes, *closing, *state.health.marks, *state.health.coming, *others))


def next_moves(state: FactoryState, now: int) -> list[Body]:
    """Return the next step for at most one booking of each project, so that the next one sees what this one changed."""
    events: list[Body] = []
    seen: set[str] = set()
    taken: set[str] = set()
    suspects = _suspects(state)
    for booking in state.booking.bookings.values() if suspects else ():
        if booking.project in seen or booking.until_ms <= now or suspects.isdisjoint(booking.nodes):
            continue
        bad = unusable(state, booking, now)
        if not bad:
            continue
        step = money.open_period(state, booking.project, now) or _step(state, booking, bad, taken, now)
        if step is not None:
            seen.add(booking.project)
            taken.update(getattr(step, "nodes", ()))
            events.append(step)
            if isinstance(step, BookingEnded):
                events += ends_with(state, step.booking, SYSTEM.token)
    return events


def unusable(state: FactoryState, booking: Booking, now: int) -> frozenset[str]:
    """Return the nodes of a booking that it cannot use for the rest of its window."""
    nodes, calendar = state.scheduler.fleet.nodes, state.scheduler.calendar
    start = max(now, booking.from_ms)
    own = {share.node for job in state.scheduler.holding.values() if job.booking == booking.booking for share in job.shares}
    return frozenset(
        name
        for name in booking.nodes
        if nodes[name].removed
        or (
            name not in own
            and (
                is_bad(state, name)
                or is_another(nodes[name], booking.site, booking.flavour)
                or nodes[name].from_ms > start
                or any(not entry.kind.is_tenants for entry in calendar.meeting(name, start, booking.until_ms))
            )
        )
    )


def _step(state: FactoryState, booking: Booking, bad: frozenset[str], taken: set[str], now: int) -> Body | None:
    stand = outlook.outlook_of(state).timetable.stands.get((booking.site, booking.flavour))
    is_begun = booking.from_ms <= now
    start = max(now, booking.from_ms)
    nodes: tuple[str, ...] = tuple(name for name in booking.nodes if name not in bad)
    if stand is not None:
        nodes = moved(
            stand,
            booking.nodes,
            bad,
            (start // MINUTE_MS, -(-booking.until_ms // MINUTE_MS)),
            outlook.ready_but_for_spot(state, now) if is_begun else outlook.ready_minutes(state, now),
            outlook.closed_nodes(state, stand) | taken,
            booking.level,
            is_begun=is_begun,
        )
    relief = relieve_bookings.before_change(state, booking, now) if len(nodes) < len(booking.nodes) else None
    if relief is not None:
        return relief
    if len(nodes) == len(booking.nodes):
        return BookingMoved(booking=booking.booking, project=booking.project, nodes=nodes, cause=CAUSE)
    if not is_begun or not taken.isdisjoint(nodes):
        return None  # until the window begins nodes may come back; and who comes after another looks once more
    return _reduced(state, booking, nodes, now)


def _reduced(state: FactoryState, booking: Booking, nodes: tuple[str, ...], now: int) -> Body:
    if not nodes:
        return ended(state, booking, LOST, ending_of(booking.stretches, now, 0), SYSTEM.token)
    gone = tuple(name for name in booking.nodes if name not in nodes)
    longer = _longer(state, booking, nodes, now)
    stretches = longer or without_nodes(booking.stretches, now, len(gone), len(booking.nodes))
    return BookingReduced(
        booking=booking.booking,
        project=booking.project,
        nodes=nodes,
        lost=(*booking.lost, *gone),
        stretches=tuple((one.from_ms, one.until_ms, one.price) for one in stretches),
        settled_ms=now,
        charged=due_by(stretches, now),
        credit=price_of(booking.stretches) - price_of(stretches),
        transfers=booking_money.tuples(booking_money.changed(state, booking, stretches, now)),
        until_ms=stretches[-1].until_ms if longer else 0,
    )


def _longer(state: FactoryState, booking: Booking, nodes: tuple[str, ...], now: int) -> tuple[Stretch, ...] | None:
    """Return the stretches with which a booking lasts longer on the nodes that it keeps, None where that cannot be.

    Its owner wants it, its rules allow so much, nothing else is entered for its nodes directly after the end, and the budgets of
    the months that it then reaches carry it. The whole price stays as it was.
    """
    if booking.on_fault is not OnFault.EXTEND:
        return None
    rules, all_nodes = booking.rules, len(booking.nodes)
    stretches = longer_for(booking.stretches, now, all_nodes - len(nodes), all_nodes)
    if stretches is None:
        return None
    until_ms = stretches[-1].until_ms
    most_ms = (booking.until_ms - max(now, booking.from_ms)) * rules.extension_permille // PERMILLE
    if until_ms - booking.until_ms > most_ms or until_ms > now + rules.horizon_ms:
        return None
    if not state.scheduler.calendar.is_free(nodes, booking.until_ms, until_ms):
        return None
    if outlook.power_lacks(state, nodes, booking.until_ms, until_ms, ()) is not None:
        return None
    return stretches if booking_money.is_carried(state, booking, stretches, now) else None

