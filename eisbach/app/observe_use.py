"""How much of the factory is sold and allocated now, and how busy it was: three figures, each with its definition.

Sold is what somebody pays for now: nodes of a booking whose window is open, and what attempts elsewhere hold that are charged.
Allocated is what attempts hold, charged or not. Busy is what their processes really used: the engine measures CPU time
of each attempt and says it at its end, so busy is told of work that has ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import WHOLE

if TYPE_CHECKING:
    from eisbach.app.application import Application

_CHARGED = (JobState.RUNNING, JobState.STOPPING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Amounts of one resource: thousandths of a core (`cpu_milli`) or of a GPU (`gpu_milli`); of real sites, or of simulated ones."""

    resource: str
    is_simulated: bool
    total: int
    sold: int
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Measured over all attempts that have ended: CPU time used, and how long they held their shares."""

    attempts: int
    cpu_ms: int
    held_ms: int


def use_of(application: "Application") -> Sequence[Use]:
    """Return the use of cores and of GPUs, where there are any; what is simulated stands apart. Waits for the application."""
    return [use for use in application.ask(_held()).result() if use.total]


def busy_of(application: "Application") -> Busy:
    """Return what was measured of work that has ended; of simulated work there is nothing to measure."""
    ended: dict[str, object] = {"state": JobState.ENDED.value, "simulated": False}
    found = application.reader.totals("attempts", [], ["cpu_ms", "held_ms"], ended)
    row = found[0] if found else {"count": 0, "cpu_ms": 0, "held_ms": 0}
    return Busy(attempts=int(row["count"]), cpu_ms=int(row["cpu_ms"]), held_ms=int(row["held_ms"]))


def _held() -> Callable[[FactoryState, int], Sequence[Use]]:
    def ask(state: FactoryState, now: int) -> Sequence[Use]:
        booked = booked_now(state, now)
        return [use for is_simulated in (False, True) for use in _uses(state, booked, is_simulated)]

    return ask


def booked_now(state: FactoryState, now: int) -> frozenset[str]:
    """Return the nodes of bookings whose window is open: their owners pay for all of them, whatever runs there."""
    bookings = state.booking.bookings.values()
    return frozenset(node for one in bookings if one.from_ms <= now < one.until_ms for node in one.nodes)


def _uses(state: FactoryState, booked: frozenset[str], is_simulated: bool) -> Sequence[Use]:
    nodes = {
        name: node
        for name, node in state.scheduler.fleet.nodes.items()
        if not node.removed and state.sites[node.site].is_simulated is is_simulated
    }
    holding = list(state.scheduler.holding.values())
    held = [share for job in holding for share in job.shares if share.node in nodes]
    charged = [
        share
        for job in holding
        if job.state in _CHARGED
        for share in job.shares
        if share.node in nodes and share.node not in booked
    ]
    sold = [node for name, node in nodes.items() if name in booked]
    return [
        Use(
            resource="cpu_milli",
            is_simulated=is_simulated,
            total=sum(node.cpu_milli for node in nodes.values()),
            sold=sum(share.cpu_milli for share in charged) + sum(node.cpu_milli for node in sold),
            allocated=sum(share.cpu_milli for share in held),
        ),
        Use(
            resource="gpu_milli",
            is_simulated=is_simulated,
            total=sum(node.gpus for node in nodes.values()) * WHOLE,
            sold=sum(len(share.gpus) * share.gpu_milli for share in charged) + sum(node.gpus for node in sold) * WHOLE,
            allocated=sum(len(share.gpus) * share.gpu_milli for share in held),
        ),
    ]
