"""A plan is a value: which jobs start where, who gives way, and when to look again."""

from dataclasses import dataclass

from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import StopCause


@dataclass(frozen=True, slots=True)
class Start:
    """A job that starts: which of its shapes, on which shares."""

    job: str
    shape: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A job that gives way: it gets its signal and its grace, and is tried again at our cost."""

    job: str
    cause: StopCause


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cycle decided. `head` is the first job that had to wait for room, `head_start_ms` the start kept for it.

    `power_head` is the first job that fits but for the power of its site: what is left of that is kept for it.
    """

    starts: tuple[Start, ...]
    head: str | None = None
    head_start_ms: int | None = None
    stops: tuple[Stop, ...] = ()
    power_head: str | None = None
