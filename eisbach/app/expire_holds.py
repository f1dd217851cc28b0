"""Holds end with their time: before anything is decided about nodes that they keep, and at the latest with the next round."""

from eisbach.app.events_booking import HoldReleased
from eisbach.app.state import FactoryState

EXPIRED = "expired"


def releases(state: FactoryState, now: int) -> tuple[HoldReleased, ...]:
    """Return the events that end the holds whose time is over."""
    return tuple(
        HoldReleased(quote=hold.quote, option=hold.option, project=hold.project, cause=EXPIRED)
        for hold in state.booking.holds.values()
        if hold.until_ms <= now
    )
