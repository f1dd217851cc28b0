"""A plan is a value: which jobs start where, and when to look again."""

from dataclasses import dataclass

from eisbach.core.capacity.fleet import Share


@dataclass(frozen=True, slots=True)
class Start:
    """A job that starts: which of its shapes, on which shares."""

    job: str
    shape: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cycle decided. `head` is the first job that had to wait, `head_start_ms` the start kept for it."""

    starts: tuple[Start, ...]
    head: str | None = None
    head_start_ms: int | None = None
