"""The periodic rounds: idempotent, without arguments, on a period and on demand."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisbach.app import cap_power, defragment
from eisbach.app.audit_places import audit_places
from eisbach.app.meter_energy import meter_energy
from eisbach.app.move_bookings import move_bookings
from eisbach.app.periods import CAPS_EVERY_MS, MOVES_EVERY_MS
from eisbach.app.reconcile_engine import reconcile
from eisbach.app.settle_bookings import settle_bookings
from eisbach.app.settle_usage import settle_running
from eisbach.app.watch_nodes import watch_nodes
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.ports.engine import EngineUnavailable

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.rounds")


@dataclass(frozen=True, slots=True)
class Round:
    """A round: its name, how often it runs at least, and what it does."""

    name: str
    period_ms: int
    run: Callable[["Application"], object]


def _sign_head(application: "Application") -> object:
    return application.sign_head().result()


def _watch_clock(application: "Application") -> object:
    return application.watch_clock()


ROUNDS: Sequence[Round] = (
    Round("watch-clock", 2 * SECOND_MS, _watch_clock),
    Round("sign-head", 10 * SECOND_MS, _sign_head),
    Round("watch-nodes", 5 * SECOND_MS, watch_nodes),
    Round("reconcile", 10 * SECOND_MS, reconcile),
    Round("settle-usage", 30 * SECOND_MS, settle_running),
    Round("settle-bookings", 10 * SECOND_MS, settle_bookings),
    Round("move-bookings", 5 * SECOND_MS, move_bookings),
    Round("audit-places", 10 * SECOND_MS, audit_places),
    Round("cap-power", CAPS_EVERY_MS, cap_power.cap_power),
    Round("defragment", MOVES_EVERY_MS, defragment.defragment),
    Round("meter-energy", 15 * SECOND_MS, meter_energy),
)


def run_all(application: "Application", rounds: Sequence[Round] = ROUNDS) -> None:
    """Run every round once, now."""
    for one in rounds:
        one.run(application)


class RoundsThread:
    """Runs each round on its period until stopped; a failing round is logged and comes again."""

    def __init__(self, application: "Application", rounds: Sequence[Round] = ROUNDS) -> None:
        self._application, self._rounds = application, rounds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Begin; every round runs once soon."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that runs now."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        due = {one.name: time.monotonic() + one.period_ms / 1000 for one in self._rounds}
        while True:
            soonest = min(due.values())
            if self._stopping.wait(max(0.0, soonest - time.monotonic())):
                return
            for one in self._rounds:
                if due[one.name] <= time.monotonic():
                    self._try(one)
                    due[one.name] = time.monotonic() + one.period_ms / 1000

    def _try(self, one: Round) -> None:
        try:
            one.run(self._application)
        except EngineUnavailable as error:
            log.warning("the round %s comes again: %s", one.name, error)
        except Exception:
            log.exception("the round %s failed and comes again", one.name)
