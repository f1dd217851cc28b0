"""A job that has not ended, as the scheduler knows it."""

from dataclasses import dataclass
from typing import Final

from eisbach.core.capacity.fleet import Share
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.scheduling.order import Asks, OrderKey, Request, order_key

# One look-up each: a class of words is asked for a member by a call in Python.
_SPOT: Final = CapacityClass.SPOT
_WAITING: Final = JobState.WAITING


class _Kept:
    """What follows from a job's fields and is asked for again and again: kept where they change, no part of a snapshot."""

    __slots__ = ("gpu_milli", "length_ms", "remaining_ms", "request")

    gpu_milli: int
    """how many thousandths of a GPU it holds; of one that waits, what its first shape would"""
    remaining_ms: int
    """what is left of the time limit for the next attempt"""
    length_ms: int
    """how long its next attempt may hold its shares"""
    request: Request | None
    """what the queue calls what it asks for; None before it first waits and when that has changed"""

    def ask_as(self, request: Request | None) -> None:
        """The queue calls so what it asks for."""
        self.request = request

    def _keep_size(self, nodes: int, shape: NodeShape) -> None:
        self.gpu_milli = nodes * shape.gpus * shape.gpu_milli

    def _keep_length(self, left_ms: int, grace_ms: int) -> None:
        self.remaining_ms = remaining_ms = left_ms if left_ms > 0 else 0
        self.length_ms = remaining_ms + grace_ms


@dataclass(slots=True, init=False)
class ActiveJob(_Kept):
    """A job that has not ended, as the scheduler knows it.

    `limit_ms` is its whole time limit, `used_ms` what earlier attempts used of it. `failures_own` counts attempts that
    ended through the customer's fault, `failures_ours` through ours. `running_ms` is the instant the attempt ran, `started_ms` the
    one at which the first attempt did. `placement` is its own rule, `where` what all rules that hold for it leave.
    `predicted_ms` is how long it is expected to run (0: as long as its limit says), `booking` the one that it runs inside,
    `submitter` the token that asked for it. `within` is how near to one another its nodes shall be,
    `saved_ms` how much of what its attempt has run the last checkpoint holds that is known of. `stands_back` says that it was thrown
    back while its owner was above a quota: first in line it would take again what it has just given back.
    """

    job: str
    project: str
    seq: int
    submitted_ms: int
    nodes: int
    shapes: tuple[NodeShape, ...]
    capacity_class: CapacityClass
    limit_ms: int
    grace_ms: int
    attempts_max: int
    is_funded: bool
    placement: PlacementRule = NO_RULE
    where: Where = ANYWHERE
    state: JobState = JobState.WAITING
    used_ms: int = 0
    attempts: int = 0
    failures_own: int = 0
    failures_ours: int = 0
    preemptions: int = 0
    not_before_ms: int = 0
    attempt: str | None = None
    shape: int = 0
    shares: tuple[Share, ...] = ()
    planned_ms: int = 0
    running_ms: int | None = None
    started_ms: int | None = None
    stop_cause: StopCause | None = None
    stop_grace_ms: int = 0
    stop_ms: int | None = None
    stop_notice_ms: int = 0
    predicted_ms: int = 0
    booking: str = ""
    submitter: str = ""
    within: Within | None = None
    saved_ms: int = 0
    stands_back: bool = False

    def __init__(
        self,
        job: str,
        project: str,
        seq: int,
        submitted_ms: int,
        nodes: int,
        shapes: tuple[NodeShape, ...],
        capacity_class: CapacityClass,
        limit_ms: int,
        grace_ms: int,
        attempts_max: int,
        is_funded: bool,
        placement: PlacementRule = NO_RULE,
        where: Where = ANYWHERE,
        within: Within | None = None,
        booking: str = "",
        submitter: str = "",
        predicted_ms: int = 0,
        request: Request | None = None,
    ) -> None:
        """A job is submitted: of its fields these alone differ then, so it is written out and not generated."""
        # More than three at once Python packs into a tuple first.
        self.job, self.project, self.seq = job, project, seq
        self.submitted_ms, self.nodes, self.shapes = submitted_ms, nodes, shapes
        self.capacity_class, self.limit_ms, self.grace_ms = capacity_class, limit_ms, grace_ms
        self.attempts_max, self.is_funded, self.placement = attempts_max, is_funded, placement
        self.where, self.within, self.booking = where, within, booking
        self.submitter, self.predicted_ms = submitter, predicted_ms
        self.state = _WAITING
        self.attempt = self.running_ms = self.started_ms = self.stop_cause = self.stop_ms = None
        self.used_ms = self.attempts = self.failures_own = self.failures_ours = self.preemptions = self.not_before_ms = 0
        self.shape = self.planned_ms = self.stop_grace_ms = self.stop_notice_ms = self.saved_ms = 0
        self.shares = ()
        self.stands_back = False
        self.ask_as(request)
        self._keep_size(nodes, shapes[0])
        self._keep_length(limit_ms, grace_ms)

    def __post_init__(self) -> None:
        """A job was read from a snapshot: what follows from its fields is kept."""
        self.ask_as(None)
        self._keep_size(self.nodes, self.shapes[self.shape])
        self._keep_length(self.limit_ms - self.used_ms, self.grace_ms)

    def use(self, used_ms: int) -> None:
        """An attempt is over that used so much of the time limit."""
        self.used_ms += used_ms
        self._keep_length(self.limit_ms - self.used_ms, self.grace_ms)

    def take_shape(self, shape: int) -> None:
        """An attempt begins on one of its shapes."""
        if shape != self.shape:
            self.shape = shape
            self._keep_size(self.nodes, self.shapes[shape])

    def asks(self) -> Asks:
        """Return what makes jobs interchangeable for the question whether they fit."""
        return (
            self.shapes, self.nodes, self.where, self.within, self.booking, self.capacity_class is _SPOT
        )  # fmt: skip

    def key(self) -> OrderKey:
        """Return the job's place in the order of the queue."""
        is_first = self.failures_ours + self.preemptions > 0 and not self.stands_back
        return order_key(is_first, self.capacity_class, self.seq)

    @property
    def signal_ms(self) -> int | None:
        """Return when its attempt is asked to stop; None for one that goes on."""
        return None if self.stop_ms is None else self.stop_ms + self.stop_notice_ms

    def is_asked(self, now: int) -> bool:
        """Return whether its attempt has been asked to stop by an instant; within its notice it may still have to go sooner."""
        return self.stop_ms is not None and self.stop_ms + self.stop_notice_ms <= now

    def releases_ms(self) -> int:
        """Return when its attempt lets go of its shares at the latest."""
        at_limit = (self.running_ms if self.running_ms is not None else self.planned_ms) + self.length_ms
        return at_limit if self.stop_ms is None else min(at_limit, self.stop_ms + self.stop_notice_ms + self.stop_grace_ms)
