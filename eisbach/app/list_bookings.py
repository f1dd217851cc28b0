"""A booking as faces show it: its row, and what cancelling it would cost now."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from eisbach.app.cancel_booking import terms
from eisbach.app.events_booking import OVER
from eisbach.app.rows_booking import ENDED
from eisbach.app.state import FactoryState
from eisbach.ports.store import Row

COPIED = (
    "booking", "project", "option", "state", "cause", "site", "simulated", "flavour", "level", "domain", "from_ms", "until_ms",
    "price", "charged", "credited", "fee", "settled_ms", "tariff", "energy_wh", "carbon_g", "on_fault", "given_until_ms", "relieved",
    "made_by", "made_ms", "ended_ms",
)  # fmt: skip


OPEN = "open"
"""State of a booking whose window has begun and is not over; no event says so, the clock does."""


def told(row: Row, now: int) -> dict[str, Any]:
    """Return a booking from its row as it is at an instant: a round writes down a little later that a window is over."""
    return {
        **{name: row[name] for name in COPIED},
        **by_the_clock(row, now),
        "nodes": row["nodes"].split(),
        "lost": row["lost"].split(),
        "label": "modelled",
    }


def by_the_clock(row: Row, now: int) -> dict[str, Any]:
    """Return what is another thing by now than the row of a booking says."""
    if row["state"] == ENDED or now < row["from_ms"]:
        return {}
    return {"state": OPEN} if now < row["until_ms"] else {"state": ENDED, "cause": OVER, "ended_ms": row["until_ms"]}


def question(*, booking: str) -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question for the rules of a booking and what cancelling it would cost now; empty once it is over."""

    def ask(state: FactoryState, now: int) -> dict[str, Any]:
        known = state.booking.bookings.get(booking)
        if known is None or now >= known.until_ms:
            return {}
        jobs = [job.job for job in state.scheduler.jobs.values() if job.booking == booking]
        return {**terms(known, now), "rules": asdict(known.rules), "jobs": jobs}

    return ask
