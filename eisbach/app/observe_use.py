"""How much of the factory is sold and allocated now, and how busy it was: three figures, each with its definition.

Sold is what somebody pays for now: held by attempts that are charged (commitments and bookings will count here too).
Allocated is what attempts hold, charged or not. Busy is what their processes really used: the engine measures CPU time
of each attempt and says it at its end, so busy is told of work that has ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import JobState

if TYPE_CHECKING:
    from eisbach.app.application import Application

_CHARGED = (JobState.RUNNING, JobState.STOPPING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Amounts of one resource: thousandths of a core (`cpu_milli`) or GPUs (`gpus`)."""

    total: int
    sold: int
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Measured over all attempts that have ended: CPU time used, and how long they held their shares."""

    attempts: int
    cpu_ms: int
    held_ms: int


def use_of(application: "Application") -> Mapping[str, Use]:
    """Return the use of `cpu_milli` and of `gpus`, where there are any. Waits for the application."""
    held = application.ask(_held()).result()
    return {name: use for name, use in held.items() if use.total}


def busy_of(application: "Application") -> Busy:
    """Return what was measured of work that has ended."""
    found = application.reader.totals("attempts", [], ["cpu_ms", "held_ms"], {"state": JobState.ENDED.value})
    row = found[0] if found else {"count": 0, "cpu_ms": 0, "held_ms": 0}
    return Busy(attempts=int(row["count"]), cpu_ms=int(row["cpu_ms"]), held_ms=int(row["held_ms"]))


def _held() -> Callable[[FactoryState, int], dict[str, Use]]:
    def ask(state: FactoryState, now: int) -> dict[str, Use]:
        fleet = [node for node in state.scheduler.fleet.nodes.values() if not node.removed]
        holding = list(state.scheduler.holding.values())
        charged = [job for job in holding if job.state in _CHARGED]
        cores, gpus = sum(node.cpu_milli for node in fleet), sum(node.gpus for node in fleet)
        return {
            "cpu_milli": Use(total=cores, sold=_cpu_milli(charged), allocated=_cpu_milli(holding)),
            "gpus": Use(total=gpus, sold=_gpus(charged), allocated=_gpus(holding)),
        }

    return ask


def _cpu_milli(jobs: Sequence[ActiveJob]) -> int:
    return sum(share.cpu_milli for job in jobs for share in job.shares)


def _gpus(jobs: Sequence[ActiveJob]) -> int:
    return sum(len(share.gpus) for job in jobs for share in job.shares)
