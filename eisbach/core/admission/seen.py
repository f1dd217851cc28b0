"""What one cycle leaves for the next: so that it looks only at what has changed."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False, repr=False)
class Seen:
    """What the last whole cycle has looked at: what did not fit then does not fit now, unless something was freed.

    `fresh` are jobs that joined the queue since (in order), `heads` the first job of each class that had to wait, `power_head` the
    one that power is kept for, `again_ms` when somebody may give way who had run too shortly.
    Where a gang `yields`, whatever puts off an expected start may let it start: also new `entries` of the calendar.
    Spot has left, or was told to leave, what begins within `spot_lead_ms` of `at_ms`.
    """

    is_whole: bool = False
    at_ms: int = 0
    freed: int = 0
    nodes: int = 0
    caps: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, None] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    power_head: str | None = None
    again_ms: int | None = None
    spot_lead_ms: int = 0
    yields: bool = False
    entries: int = 0
