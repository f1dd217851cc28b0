"""What a test needs of any engine: builders in domain words, and a harness that knows how to wait."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eisbach.core.jobs.lifecycle import StopCause
from eisbach.ports.engine import Engine, Observation, StartOrder, StopOrder, TaskOrder


def an_order(attempt: str = "att_1", *, tasks: int = 1, memory_mib: int = 256, run: str = "true", **other: Any) -> StartOrder:
    """Return an order of one small attempt; `job_id` follows the attempt's name unless given."""
    values: dict[str, Any] = {
        "attempt_number": 1,
        "job_id": "job_" + attempt,
        "job_name": "a-job",
        "project_id": "prj_a",
        "epoch": 1,
        "limit_ms": 60_000,
        "grace_ms": 1_000,
    }
    gang = tuple(TaskOrder(rank=r, node_id="node-1", cpu_milli=500, memory_mib=memory_mib) for r in range(tasks))
    return StartOrder(attempt_id=attempt, run=run, **{"tasks": gang, **values, **other})


def a_stop(attempt: str = "att_1", *, grace_ms: int = 1_000, epoch: int = 1, notice_ms: int = 0) -> StopOrder:
    """Return an order to stop an attempt."""
    return StopOrder(attempt_id=attempt, epoch=epoch, cause=StopCause.CANCEL, grace_ms=grace_ms, notice_ms=notice_ms)


@dataclass
class Harness:
    """An engine and a way to let its time go on until something is so (raises AssertionError where it never is)."""

    engine: Engine
    wait: Callable[[Callable[[], bool]], None]

    def seen(self, attempt: str = "att_1") -> Observation | None:
        """Return what the engine says of an attempt."""
        return next((o for o in self.engine.observe() if o.attempt_id == attempt), None)

    def is_running(self, attempt: str = "att_1") -> bool:
        """Return whether it runs."""
        seen = self.seen(attempt)
        return seen is not None and seen.running_since_ms is not None and seen.ending is None

    def has_ended(self, attempt: str = "att_1") -> bool:
        """Return whether it ended."""
        seen = self.seen(attempt)
        return seen is not None and seen.ending is not None

    def wait_running(self, attempt: str = "att_1") -> Observation:
        """Wait until it runs."""
        self.wait(lambda: self.is_running(attempt))
        seen = self.seen(attempt)
        assert seen is not None
        return seen

    def wait_ended(self, attempt: str = "att_1") -> Observation:
        """Wait until it ended."""
        self.wait(lambda: self.has_ended(attempt))
        seen = self.seen(attempt)
        assert seen is not None
        return seen

    def run(self, order: StartOrder) -> Observation:
        """Start an attempt and wait for its end."""
        self.engine.start(order)
        return self.wait_ended(order.attempt_id)
