"""The round of bookings: holds expire, windows are charged as they pass, what nobody uses is given back, what is over ends.

Each decision takes at most one step of a project, so that the next one sees what this one left of its month.
"""

from typing import TYPE_CHECKING

from eisbach.app import booking_money, money, relieve_bookings
from eisbach.app.cancel_booking import ended
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.event_body import Body
from eisbach.app.events_booking import NO_SHOW, OVER, BookingClosed, BookingEnded
from eisbach.app.expire_holds import releases
from eisbach.app.run_in_booking import ends_with
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.booking.settle import Ending, ending_of, no_show_at, price_of, resale_share, settle_at
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

CLOSED_AFTER_MS = 3 * HOUR_MS
"""Spot settles hourly: this long after a booking's end nothing that ran inside it can still be unpaid."""


def settle_bookings(application: "Application") -> int:
    """Do whatever is due of holds and bookings now; return how many steps that were."""
    steps = 0
    while application.ask(lambda state, now: _is_due(state, now)).result():
        answer = application.perform(_decide).result()
        if isinstance(answer, Refusal) or not answer["steps"]:
            break
        steps += int(answer["steps"])
    return steps


def _is_due(state: FactoryState, now: int) -> bool:
    """Return whether anything is due, without a decision: most rounds find nothing."""
    known, short = state.booking, relieve_bookings.shortfalls(state, now)
    return (
        any(hold.until_ms <= now for hold in known.holds.values())
        or any(_is_step_due(state, booking, short, now) for booking in known.bookings.values())
        or any(_is_paid(state, booking, now) for booking in known.closing.values())
    )


def _is_step_due(state: FactoryState, booking: Booking, short: dict[str, int], now: int) -> bool:
    if booking.until_ms <= now or _is_no_show(state, booking, now) or relieve_bookings.is_due(booking, short, now):
        return True
    return settle_at(booking.stretches, booking.settled_ms, now) is not None


def _decide(state: FactoryState, context: Context) -> Decision | Refusal:
    now, known = context.now, state.booking
    events: list[Body] = list(releases(state, now))
    seen: set[str] = set()
    short = relieve_bookings.shortfalls(state, now)
    for booking in [*known.bookings.values(), *known.closing.values()]:
        if booking.project in seen:
            continue
        opened = money.open_period(state, booking.project, now)
        step = opened or _step(state, booking, short, now)
        if step is not None:
            seen.add(booking.project)
            events.append(step)
            if isinstance(step, BookingEnded):
                events += ends_with(state, step.booking, SYSTEM.token)
    return Decision(events=tuple(events), reply={"steps": len(events)})


def _step(state: FactoryState, booking: Booking, short: dict[str, int], now: int) -> Body | None:
    """Return the next thing that is due with a booking, or None. `short` is what the power of sites does not carry."""
    if booking.ended_ms:
        return _closed(state, booking) if _is_paid(state, booking, now) else None
    if relieve_bookings.is_due(booking, short, now):
        return relieve_bookings.settled(state, booking, now, short.get(booking.site, 0))
    relief = relieve_bookings.before_change(state, booking, now)
    if relief is not None and (booking.until_ms <= now or _is_no_show(state, booking, now)):
        return relief
    if booking.until_ms <= now:
        return ended(state, booking, OVER, Ending(price_of(booking.stretches), 0), SYSTEM.token)
    if _is_no_show(state, booking, now):
        ending = ending_of(booking.stretches, now, booking.rules.no_show_permille, booking.given)
        return ended(state, booking, NO_SHOW, ending, SYSTEM.token)
    at = settle_at(booking.stretches, booking.settled_ms, now)
    if at is None:
        return None
    return relieve_bookings.settled(state, booking, at, booking.short_permille)


def _is_no_show(state: FactoryState, booking: Booking, now: int) -> bool:
    if booking.used_ms:
        return False
    at = no_show_at(booking.rules, booking.from_ms, booking.until_ms)
    return at is not None and at <= now and not any(job.booking == booking.booking for job in state.scheduler.holding.values())


def _is_paid(state: FactoryState, booking: Booking, now: int) -> bool:
    """Return whether all spot that ran on its nodes inside its window has been charged for that time."""
    if now >= booking.ended_ms + CLOSED_AFTER_MS:
        return True
    nodes = set(booking.nodes)
    return not any(
        job.capacity_class is CapacityClass.SPOT
        and job.planned_ms < booking.ended_ms
        and any(share.node in nodes for share in job.shares)
        and (job.running_ms or 0) + state.accounts[job.job].attempt_settled_ms < booking.ended_ms
        for job in state.scheduler.holding.values()
    )


def _closed(state: FactoryState, booking: Booking) -> BookingClosed:
    credit = max(0, resale_share(booking.rules, booking.resold) - booking.credited)
    return BookingClosed(
        booking=booking.booking,
        project=booking.project,
        credited=booking.credited + credit,
        transfers=booking_money.tuples(booking_money.credit(state, booking, credit)),
    )
