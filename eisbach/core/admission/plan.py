"""A plan is a value: which jobs start where, who gives way, what is promised, and who stands first of those that wait."""

from functools import partial
from typing import Final, NamedTuple

from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.core.scheduling.promise import Broken, Given


class Start(NamedTuple):
    """A job that starts: which of its shapes, on which shares."""

    job: str
    shape: int
    shares: tuple[Share, ...]


class Stop(NamedTuple):
    """A job that gives way: after its notice it gets its signal and its grace, and is tried again at our cost."""

    job: str
    cause: StopCause
    notice_ms: int = 0


class Plan(NamedTuple):
    """What one cycle decided.

    It is carried out in this order: `broken` promises, `starts`, `given` promises, `stops`. `head` is the first job that had to wait for
    room, `heads` the first of each class; `power_head` is the first one that fits but for the power of its site: what is left
    of that is kept for it. `again_ms` is when to look again whether
    somebody could give way who had run too shortly now. `spot_lead_ms` is how long before an entry of the calendar spot was told to
    leave. `yields` says that a gang that fits leaves a promised one its expected start. `is_whole` says that nothing more can be decided until something changes.
    """

    starts: tuple[Start, ...]
    stops: tuple[Stop, ...] = ()
    broken: tuple[Broken, ...] = ()
    given: tuple[Given, ...] = ()
    heads: tuple[str, ...] = ()
    power_head: str | None = None
    again_ms: int | None = None
    is_whole: bool = True
    spot_lead_ms: int = 0
    yields: bool = False

    @property
    def head(self) -> str | None:
        """Return the first job that had to wait for room, or None."""
        return self.heads[0] if self.heads else None


plan_of_fields: Final = partial(tuple.__new__, Plan)
"""Returns the plan of all its fields, given as one tuple: without a constructor in Python, as each cycle makes one."""

NOTHING: Final = Plan(starts=())
"""The plan where nobody waits and nothing is spoken for."""
