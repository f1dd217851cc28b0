"""What an admission cycle looks at: jobs that wait or hold capacity, the fleet, the queue."""

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, field

from eisbach.core.capacity.calendar import Calendar
from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.lifecycle import JobState, StopCause, check_transition
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.scheduling.agenda import Agenda
from eisbach.core.scheduling.fair_share import FairShare
from eisbach.core.scheduling.order import GroupKey, OrderKey, Queue, order_key
from eisbach.core.scheduling.policy import EASY, Policy
from eisbach.core.vocabulary.invariant import BrokenInvariant, require


@dataclass(slots=True, kw_only=True)
class ActiveJob:
    """A job that has not ended, as the scheduler knows it.

    `limit_ms` is its whole time limit, `used_ms` what earlier attempts used of it. `failures_own` counts attempts that
    ended through the customer's fault, `failures_ours` through ours. `running_ms` is the instant the attempt ran, `started_ms` the
    one at which the first attempt did. `placement` is its own rule, `where` what all rules that hold for it leave.
    `predicted_ms` is how long it is expected to run (0: as long as its limit says), `leaf` the organisation whose fair share
    it uses, `booking` the one that it runs inside, `submitter` the token that asked for it. `within` is how near to one another its nodes shall be.
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
    predicted_ms: int = 0
    leaf: str = ""
    booking: str = ""
    submitter: str = ""
    within: Within | None = None

    @property
    def remaining_ms(self) -> int:
        """Return what is left of the time limit for the next attempt."""
        return max(0, self.limit_ms - self.used_ms)

    @property
    def gpu_milli(self) -> int:
        """Return how many thousandths of a GPU it holds; of one that waits, what its first shape would."""
        shape = self.shapes[self.shape]
        return self.nodes * shape.gpus * shape.gpu_milli

    @property
    def group(self) -> GroupKey:
        """Return what makes jobs interchangeable for the question whether they fit."""
        return (self.shapes, self.nodes, self.where, self.within)

    @property
    def key(self) -> OrderKey:
        """Return the job's place in the order of the queue."""
        return order_key(self.failures_ours + self.preemptions > 0, self.capacity_class, self.seq)

    @property
    def releases_ms(self) -> int:
        """Return when its attempt lets go of its shares at the latest."""
        since = self.running_ms if self.running_ms is not None else self.planned_ms
        at_limit = since + self.remaining_ms + self.grace_ms
        return at_limit if self.stop_ms is None else min(at_limit, self.stop_ms + self.stop_grace_ms)


@dataclass(slots=True)
class SchedulerState:
    """Jobs that have not ended, and the indexes over them."""

    jobs: dict[str, ActiveJob] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    queue: Queue = field(default_factory=Queue)
    holding: dict[str, ActiveJob] = field(default_factory=dict)
    """attempt id -> its job, for all that hold shares"""
    unfunded: dict[str, list[tuple[OrderKey, str]]] = field(default_factory=dict)
    """project -> jobs that wait for money, with their keys, in queue order"""
    delayed: list[tuple[int, str]] = field(default_factory=list)
    """heap of (instant, job) that may not start before"""
    fair_share: FairShare = field(default_factory=FairShare)
    power_caps: dict[str, int] = field(default_factory=dict)
    """site -> the milliwatt that its racks may draw at most, for those that are capped"""
    policy: Policy = EASY
    """how the queue is ordered and what may pass what; an operator's act changes it"""
    agenda: Agenda = field(default_factory=Agenda)
    """what happens by itself on nodes: closures, and who must leave before they begin"""
    calendar: Calendar = field(init=False)
    """bookings, promised starts, maintenance windows and drains to come"""

    def __post_init__(self) -> None:
        self.calendar = Calendar(self.fleet)

    def add(self, job: ActiveJob) -> None:
        """Add a job, as found in the log or in a snapshot, to all indexes."""
        self.jobs[job.job] = job
        if job.state is JobState.WAITING:
            self._enqueue(job)
        elif job.attempt is not None:
            self.fleet.take(job.shares)
            self.fair_share.hold(job.project, job.gpu_milli)
            self.holding[job.attempt] = job
            self.agenda.hold(job.attempt, job.shares, job.grace_ms)

    def fund(self, job: ActiveJob) -> None:
        """The job's cap is reserved: it may start."""
        require(not job.is_funded, "a job is funded once")
        self._leave_unfunded(job)
        job.is_funded = True
        self._enqueue(job)

    def unfund(self, job: ActiveJob) -> None:
        """The job's cap is no longer reserved: it waits for money again."""
        require(job.state is JobState.WAITING, "only a waiting job loses its reservation")
        job.is_funded = False
        self.queue.remove(job.job)
        self._enqueue(job)

    def start(self, job: ActiveJob, attempt: str, shape: int, shares: tuple[Share, ...], now: int) -> None:
        """An attempt is planned: it holds its shares from now on."""
        check_transition(job.state, JobState.STARTING)
        require(job.is_funded, "nothing starts without its cap reserved")
        require(len(shares) == job.nodes, "a gang starts whole or not at all")
        nodes = self.fleet.nodes
        site = nodes[shares[0].node].site
        for share in shares:
            if nodes[share.node].site != site:
                raise BrokenInvariant("a gang is at one site")
        self.queue.remove(job.job)
        self.fleet.take(shares)
        job.state = JobState.STARTING
        job.attempt, job.shape, job.shares, job.planned_ms = attempt, shape, shares, now
        job.running_ms, job.stop_cause, job.stop_ms = None, None, None
        job.attempts += 1
        self.fair_share.hold(job.project, job.gpu_milli)
        self.holding[attempt] = job
        self.agenda.hold(attempt, shares, job.grace_ms)

    def release(self, job: ActiveJob, *, after: JobState) -> None:
        """The attempt is over: its shares are free; the job waits again or has ended."""
        check_transition(job.state, after)
        require(job.attempt is not None, "only an attempt can end")
        self.fleet.give_back(job.shares)
        self.fair_share.hold(job.project, -job.gpu_milli)
        self.holding.pop(str(job.attempt))
        job.attempt, job.shares = None, ()
        job.running_ms, job.stop_cause, job.stop_ms = None, None, None
        job.state = after
        if after is JobState.WAITING:
            self._enqueue(job)
        else:
            self.jobs.pop(job.job)

    def drop(self, job: ActiveJob) -> None:
        """A waiting job has ended without an attempt."""
        check_transition(job.state, JobState.ENDED)
        job.state = JobState.ENDED
        self.queue.remove(job.job)
        if not job.is_funded:
            self._leave_unfunded(job)
        self.jobs.pop(job.job)

    def move(self, job: ActiveJob, where: Where) -> None:
        """The rules that hold for a job, or the places they speak of, have changed: it may be elsewhere from now on."""
        is_queued = job.job in self.queue
        self.queue.remove(job.job)
        job.where = where
        if is_queued:
            self.queue.push(job.job, job.key, job.group)

    def wake(self, now: int) -> None:
        """Move jobs whose delay is over into the queue."""
        while self.delayed and self.delayed[0][0] <= now:
            _, name = heapq.heappop(self.delayed)
            job = self.jobs.get(name)
            if job is None or job.state is not JobState.WAITING or not job.is_funded or job.not_before_ms > now:
                continue
            if job.job not in self.queue:
                self.queue.push(job.job, job.key, job.group)

    def next_instant(self) -> int | None:
        """Return when something is due without any event, or None."""
        due = [self.delayed[0][0]] if self.delayed else []
        happens = self.agenda.next_instant()
        if happens is not None:
            due.append(happens)
        return min(due) if due else None

    def _enqueue(self, job: ActiveJob) -> None:
        if not job.is_funded:
            insort(self.unfunded.setdefault(job.project, []), (job.key, job.job))
        elif job.not_before_ms:
            heapq.heappush(self.delayed, (job.not_before_ms, job.job))
        else:
            self.queue.push(job.job, job.key, job.group)

    def _leave_unfunded(self, job: ActiveJob) -> None:
        waiting = self.unfunded[job.project]
        del waiting[bisect_left(waiting, (job.key, job.job))]
        if not waiting:
            del self.unfunded[job.project]
