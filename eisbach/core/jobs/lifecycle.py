"""The states of a job, the one table of transitions, and how attempts end."""

from typing import Final

from eisbach.core.vocabulary.closed_enum import ClosedEnum
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.reasons import Reason


class JobState(ClosedEnum):
    """Where a job is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class Outcome(ClosedEnum):
    """How a job or an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_BUDGET = "out_of_budget"
    LOST = "lost"
    PREEMPTED = "preempted"
    REFUSED_LATE = "refused_late"


class Fault(ClosedEnum):
    """Whose fault it was that an attempt ended; ours are retried at our cost."""

    NONE = "none"
    CUSTOMER = "customer"
    OPERATOR = "operator"
    HARDWARE = "hardware"
    PREEMPTION = "preemption"

    @property
    def is_ours(self) -> bool:
        """Return whether the attempt is not charged and retried first in line."""
        return self in (Fault.OPERATOR, Fault.HARDWARE, Fault.PREEMPTION)


class StopCause(ClosedEnum):
    """Why a running attempt is asked to stop."""

    CANCEL = "cancel"
    BUDGET = "budget"
    PREEMPTION = "preemption"
    DRAIN = "drain"
    POWER_CAP = "power_cap"
    PLACEMENT = "placement"

    @property
    def reason(self) -> Reason:
        """Return the reason that a job which is stopped for this cause gives."""
        return _REASON_OF_STOP[self]


_REASON_OF_STOP: Final = {
    StopCause.CANCEL: Reason.CANCELLED,
    StopCause.BUDGET: Reason.BUDGET_REACHED,
    StopCause.PREEMPTION: Reason.PREEMPTED,
    StopCause.DRAIN: Reason.NODE_DRAINED,
    StopCause.POWER_CAP: Reason.POWER_CAP,
    StopCause.PLACEMENT: Reason.PLACEMENT_FORBIDDEN,
}

TRANSITIONS: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.WAITING: frozenset({JobState.STARTING, JobState.ENDED}),
    JobState.STARTING: frozenset({JobState.RUNNING, JobState.STOPPING, JobState.WAITING, JobState.ENDED}),
    JobState.RUNNING: frozenset({JobState.STOPPING, JobState.WAITING, JobState.ENDED}),
    JobState.STOPPING: frozenset({JobState.WAITING, JobState.ENDED}),
    JobState.ENDED: frozenset(),
}


def check_transition(before: JobState, after: JobState) -> None:
    """Raise BrokenInvariant unless the table of transitions allows this step."""
    if after not in TRANSITIONS[before]:
        raise BrokenInvariant(f"a job never goes from {before.value} to {after.value}")
