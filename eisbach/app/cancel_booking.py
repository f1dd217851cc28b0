"""A booking is cancelled by its owner: what that costs follows from the rules that were told with its quote."""

from typing import Any

from eisbach.app import booking_money, money, relieve_bookings
from eisbach.app.book_capacity import booking_of
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_booking import CANCELLED, BookingEnded
from eisbach.app.run_in_booking import ends_with
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.booking.settle import Ending, cancel_permille, ending_of
from eisbach.core.vocabulary.reasons import Refusal


def command(actor: Actor, *, booking: str) -> Command:
    """Return the command that cancels a booking; its jobs end with it."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = booking_of(state, booking, context.now)
        if isinstance(known, Refusal):
            return known
        opened = money.open_period(state, known.project, context.now)
        if opened is not None:
            return Decision(events=(opened,), again=True)
        relief = relieve_bookings.before_change(state, known, context.now)
        if relief is not None:
            return Decision(events=(relief,), again=True)
        ending = cost_of_cancelling(known, context.now)
        reply = {"booking": booking, "state": "ended", "cause": CANCELLED, "charged": ending.due, "fee": ending.fee}
        events = (ended(state, known, CANCELLED, ending, actor.token), *ends_with(state, booking, actor.token))
        return Decision(events=events, reply=reply)

    return decide


def cost_of_cancelling(booking: Booking, now: int) -> Ending:
    """Return what is due in all, and the fee in it, when a booking is cancelled now."""
    return ending_of(booking.stretches, now, cancel_permille(booking.rules, booking.from_ms, now), booking.given)


def ended(state: FactoryState, booking: Booking, cause: str, ending: Ending, by: str) -> BookingEnded:
    """Return the event that ends a booking."""
    return BookingEnded(
        booking=booking.booking,
        project=booking.project,
        cause=cause,
        charged=ending.due,
        fee=ending.fee,
        by=by,
        transfers=booking_money.tuples(booking_money.ended(state, booking, ending)),
    )


def terms(booking: Booking, now: int) -> dict[str, Any]:
    """Return what cancelling a booking would cost now, and until when it costs nothing."""
    ending = cost_of_cancelling(booking, now)
    return {
        "cancel_free_until_ms": booking.from_ms - booking.rules.free_before_ms,
        "cancel_due": ending.due,
        "cancel_fee": ending.fee,
    }
