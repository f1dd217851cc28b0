"""Every reason why something is refused, waits or ended: one closed enum."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Final


class Reason(Enum):
    """A reason: its code (the enum's value), whether the same request may succeed later, and its HTTP status."""

    # requests that are wrong in themselves
    INVALID_TASK = "INVALID_TASK"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_ARCHIVE = "INVALID_ARCHIVE"
    TOO_LARGE = "TOO_LARGE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    LIMIT_ABOVE_MAXIMUM = "LIMIT_ABOVE_MAXIMUM"
    NO_SUCH_FLAVOUR = "NO_SUCH_FLAVOUR"
    MORE_THAN_ANY_NODE = "MORE_THAN_ANY_NODE"
    MORE_THAN_THE_SITE = "MORE_THAN_THE_SITE"
    ONLY_SIMULATED = "ONLY_SIMULATED"
    NO_PRICE = "NO_PRICE"
    RESIDENCY_FORBIDDEN = "RESIDENCY_FORBIDDEN"
    # identity and access
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    # state
    NAME_TAKEN = "NAME_TAKEN"
    WINDOW_TAKEN = "WINDOW_TAKEN"
    ALREADY_ENDED = "ALREADY_ENDED"
    ORGANISATION_EXISTS = "ORGANISATION_EXISTS"
    INVALID_PACKAGE = "INVALID_PACKAGE"
    UNTRUSTED_ORIGIN = "UNTRUSTED_ORIGIN"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    MISSING_SECRET = "MISSING_SECRET"
    # bookings
    NO_WINDOW = "NO_WINDOW"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    OPTION_TAKEN = "OPTION_TAKEN"
    ALREADY_BOOKED = "ALREADY_BOOKED"
    TOO_MANY_HOLDS = "TOO_MANY_HOLDS"
    BOOKING_OVER = "BOOKING_OVER"
    BOOKING_TOO_SMALL = "BOOKING_TOO_SMALL"
    BUDGET_BOOKED = "BUDGET_BOOKED"
    # data sets
    OVER_QUOTA = "OVER_QUOTA"
    WRONG_OFFSET = "WRONG_OFFSET"
    WRONG_CHECKSUM = "WRONG_CHECKSUM"
    UPLOAD_BUSY = "UPLOAD_BUSY"
    DATA_IN_USE = "DATA_IN_USE"
    DATA_DELETED = "DATA_DELETED"
    DATA_DAMAGED = "DATA_DAMAGED"
    # money
    OVER_BUDGET = "OVER_BUDGET"
    BUDGET_RESERVED = "BUDGET_RESERVED"
    BUDGET_REACHED = "BUDGET_REACHED"
    NOTHING_TO_BILL = "NOTHING_TO_BILL"
    BILLING_DETAILS_MISSING = "BILLING_DETAILS_MISSING"
    CREDIT_TOO_LARGE = "CREDIT_TOO_LARGE"
    NO_VAT_RATE = "NO_VAT_RATE"
    # waiting
    CAPACITY_BUSY = "CAPACITY_BUSY"
    ABOVE_QUOTA = "ABOVE_QUOTA"
    BEHIND_PROMISE = "BEHIND_PROMISE"
    BEHIND_BOOKING = "BEHIND_BOOKING"
    BEHIND_MAINTENANCE = "BEHIND_MAINTENANCE"
    OUTSIDE_BOOKING = "OUTSIDE_BOOKING"
    NODES_UNAVAILABLE = "NODES_UNAVAILABLE"
    POWER_CAP = "POWER_CAP"
    RETRY_DELAY = "RETRY_DELAY"
    PLACEMENT_FORBIDDEN = "PLACEMENT_FORBIDDEN"
    STARTING = "STARTING"
    # endings of an attempt
    SUCCEEDED = "SUCCEEDED"
    TASK_FAILED = "TASK_FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    ENGINE_LOST_IT = "ENGINE_LOST_IT"
    NODE_DRAINED = "NODE_DRAINED"
    NODE_LOST = "NODE_LOST"
    PREEMPTED = "PREEMPTED"
    DISK_FULL = "DISK_FULL"
    # the factory itself
    STORE_FULL = "STORE_FULL"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    NOT_LEADER = "NOT_LEADER"
    OVERLOADED = "OVERLOADED"
    INTERNAL_ERROR = "INTERNAL_ERROR"

    @property
    def is_retryable(self) -> bool:
        """Return whether the same request may succeed later without being changed."""
        return self in _RETRYABLE


_RETRYABLE: Final = frozenset(
    {
        Reason.BUDGET_RESERVED,
        Reason.CAPACITY_BUSY,
        Reason.ABOVE_QUOTA,
        Reason.BEHIND_PROMISE,
        Reason.BEHIND_BOOKING,
        Reason.BEHIND_MAINTENANCE,
        Reason.OUTSIDE_BOOKING,
        Reason.NODES_UNAVAILABLE,
        Reason.POWER_CAP,
        Reason.RETRY_DELAY,
        Reason.PLACEMENT_FORBIDDEN,
        Reason.STARTING,
        Reason.WRONG_CHECKSUM,
        Reason.UPLOAD_BUSY,
        Reason.DATA_IN_USE,
        Reason.ENGINE_LOST_IT,
        Reason.NODE_DRAINED,
        Reason.NODE_LOST,
        Reason.PREEMPTED,
        Reason.DISK_FULL,
        Reason.STORE_FULL,
        Reason.STORE_UNAVAILABLE,
        Reason.NOT_LEADER,
        Reason.OVERLOADED,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused: the reason, what happened with which value, what to do, and the values for machines.

    `where` names the offending field of a request (`resources.cpus`), empty where none is.
    """

    reason: Reason
    what: str
    do: str = ""
    where: str = ""
    values: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return f"{self.what}. {self.do}" if self.do else self.what


def logged_at(refusal: Refusal, position: int) -> Refusal:
    """Return a refusal that says at which position of the log it stands (`log_position`)."""
    return replace(refusal, values={**refusal.values, "log_position": position})
