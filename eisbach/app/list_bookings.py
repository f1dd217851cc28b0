"""A booking as faces show it: its row, and what cancelling it would cost now."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from eisbach.app.cancel_booking import terms
from eisbach.app.state import FactoryState
from eisbach.ports.store import Row

COPIED = (
    "booking", "project", "option", "state", "cause", "site", "simulated", "flavour", "level", "domain", "from_ms", "until_ms",
    "price", "charged", "credited", "fee", "settled_ms", "tariff", "energy_wh", "carbon_g", "on_fault", "given_until_ms", "relieved",
    "made_by", "made_ms", "ended_ms",
)  # fmt: skip


def told(row: Row) -> dict[str, Any]:
    """Return a booking from its row."""
    return {
        **{name: row[name] for name in COPIED},
        "nodes": row["nodes"].split(),
        "lost": row["lost"].split(),
        "label": "modelled",
    }


def question(*, booking: str) -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question for the rules of a booking and what cancelling it would cost now; empty once it is over."""

    def ask(state: FactoryState, now: int) -> dict[str, Any]:
        known = state.booking.bookings.get(booking)
        if known is None:
            return {}
        jobs = [job.job for job in state.scheduler.jobs.values() if job.booking == booking]
        return {**terms(known, now), "rules": asdict(known.rules), "jobs": jobs}

    return ask
