"""The application's own rounds in virtual time: the same code as live (app/rounds.py), less often, and only where there is something to do.

A round is imported when it first applies: most replays have no bookings, no meters and no caps, and start the sooner.
Live a round that finds nothing costs a look every few seconds; a year of virtual time has two million such looks.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from eisbach.app.application import Application
from eisbach.app.periods import MOVES_EVERY_MS
from eisbach.app.settle_usage import SETTLE_EVERY_MS, settle_running
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.twin.world import World

BOOKINGS_EVERY_MS: Final = 5 * MINUTE_MS
METERS_EVERY_MS: Final = HOUR_MS
CAPS_EVERY_MS: Final = 15 * MINUTE_MS
"""Live every few seconds: what weather and water allow changes in steps of hours."""


class Every(msgspec.Struct, frozen=True):
    """A round that runs at each full period of virtual time at which it applies, and `last` when the run is over."""

    period_ms: int
    run: Callable[[Application], object]
    applies: Callable[[World], bool] = lambda world: True
    last: Callable[[Application], object] = lambda application: None


def _settle_bookings(application: Application) -> object:
    from eisbach.app.settle_bookings import settle_bookings

    return settle_bookings(application)


def _move_bookings(application: Application) -> object:
    from eisbach.app.move_bookings import move_bookings

    return move_bookings(application)


def _cap_power(application: Application) -> object:
    from eisbach.app.cap_power import cap_power

    return cap_power(application)


def _defragment(application: Application) -> object:
    from eisbach.app.defragment import defragment

    return defragment(application)


def _meter_energy(application: Application, *, now: bool = False) -> object:
    from eisbach.app.meter_energy import meter_energy

    return meter_energy(application, now=now)


def _has_bookings(world: World) -> bool:
    booking = world.state.booking
    return bool(booking.bookings or booking.closing)


def _could_move(world: World) -> bool:
    """Spot runs, and a gang stands first in a line or has a promise: what the round would look at."""
    scheduler = world.state.scheduler
    if not scheduler.spot or not scheduler.queue:
        return False
    first = (scheduler.jobs.get(name) for name in scheduler.seen.heads)
    return bool(scheduler.calendar.promises) or any(job is not None and job.nodes > 1 for job in first)


def _is_metered(world: World) -> bool:
    return bool(world.state.energy.meters)


def _may_be_capped(world: World) -> bool:
    return bool(world.state.energy.caps) or any(site.power is not None for site in world.sites)


ROUNDS: Final = (
    Every(SETTLE_EVERY_MS, settle_running),
    Every(BOOKINGS_EVERY_MS, _settle_bookings, _has_bookings),
    Every(BOOKINGS_EVERY_MS, _move_bookings, _has_bookings),
    Every(CAPS_EVERY_MS, _cap_power, _may_be_capped),
    Every(MOVES_EVERY_MS, _defragment, _could_move),
    Every(METERS_EVERY_MS, _meter_energy, _is_metered, lambda application: _meter_energy(application, now=True)),
)
"""Nodes that are gone are noticed at once (faults.py); placement is audited by the explorer, and by any factory that is real."""
