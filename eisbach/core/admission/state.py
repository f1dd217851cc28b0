"""What an admission cycle looks at: jobs that wait or hold capacity, the fleet, the queue."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from eisbach.core.admission.active_job import ActiveJob as ActiveJob
from eisbach.core.admission.looks import Looks
from eisbach.core.admission.plan import Plan
from eisbach.core.admission.releases import Releases
from eisbach.core.admission.seen import Seen
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.lifecycle import JobState, StopCause, check_transition
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.agenda import Agenda
from eisbach.core.scheduling.fair_share import FairShare, Standing
from eisbach.core.scheduling.order import OrderKey, Queue, served_as_of
from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.scheduling.power import PowerRoom, PowerSums
from eisbach.core.scheduling.promise import TOLERANCE_MS, Given
from eisbach.core.scheduling.rank import Gradient
from eisbach.core.scheduling.typical import Typical
from eisbach.core.vocabulary.invariant import BrokenInvariant, require

# One look-up each: a class of words is asked for a member by a call in Python.
_WAITING: Final = JobState.WAITING
_STARTING: Final = JobState.STARTING
_RUNNING: Final = JobState.RUNNING
_STOPPING: Final = JobState.STOPPING
_SPOT: Final = CapacityClass.SPOT
_PROMISE: Final = EntryKind.PROMISE


@dataclass(slots=True, eq=False, repr=False)
class SchedulerState:
    """Jobs that have not ended, and the indexes over them."""

    jobs: dict[str, ActiveJob] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=lambda: Fleet(Gradient({})))
    queue: Queue = field(default_factory=Queue)
    holding: dict[str, ActiveJob] = field(default_factory=dict)
    """attempt id -> its job, for all that hold shares"""
    unfunded: dict[str, list[tuple[OrderKey, str]]] = field(default_factory=dict)
    """project -> jobs that wait for money, with their keys, in queue order"""
    delayed: list[tuple[int, str]] = field(default_factory=list)
    """heap of (instant, job) that may not start before"""
    fair_share: FairShare = field(default_factory=FairShare)
    typical: Typical = field(default_factory=Typical)
    """the usual workload, by which the fleet knows what fragments it"""
    power_caps: dict[str, int] = field(default_factory=dict)
    """site -> the milliwatt that its racks may draw at most, for those that are capped"""
    power: PowerSums = field(init=False)
    """what nodes and work draw that caps reckon with"""
    policy: Policy = DEFAULT
    """how the queue is ordered and what may pass what; `set_policy` changes it"""
    agenda: Agenda = field(default_factory=Agenda)
    """what happens by itself on nodes: closures, and who must leave before they begin"""
    calendar: Calendar = field(init=False)
    """bookings, promised starts, maintenance windows and drains to come"""
    releases: Releases = field(default_factory=Releases)
    """when all that hold shares let go of them"""
    spot: dict[str, ActiveJob] = field(default_factory=dict)
    """job id -> job, for spot that holds shares"""
    spot_grace_ms: int = 0
    """the longest grace of spot so far"""
    node_changes: int = 0
    """how often nodes came, went, or changed whether they take work"""
    looks: Looks = field(default_factory=Looks)
    """when each promise is looked at again, whether it can be an earlier one"""
    seen: Seen = field(default_factory=Seen)
    """what the last cycle has left; no part of what follows from the log, as any cycle may look at everything again"""

    def __post_init__(self) -> None:
        self.calendar = Calendar(self.fleet)
        self.power = PowerSums(self.fleet)

    @property
    def spot_lead_ms(self) -> int:
        """Return how long before an entry of the calendar spot is told to leave: its notice, and the longest grace so far."""
        return self.spot_grace_ms + self.policy.notice_ms if self.spot_grace_ms or self.spot else 0

    def note_submitted(self, job: ActiveJob) -> None:
        """A job is new: what it asks for first is part of the usual workload."""
        if self.typical.note(job.shapes[0], job.nodes):
            self.fleet.ranking.learn(self.typical.learnt)

    def add(self, job: ActiveJob) -> None:
        """Add a job, as found in the log or in a snapshot, to all indexes."""
        self.jobs[job.job] = job
        if job.state is _WAITING:
            self._enqueue(job)
        elif job.attempt is not None:
            self.fleet.take(job.shares)
            self._hold(job, job.attempt)

    def forget(self, job: ActiveJob) -> None:
        """A waiting job that was added only to be looked at was never there."""
        self.queue.remove(job.job)
        self.seen.fresh.pop(job.job, None)
        self.jobs.pop(job.job)

    def fund(self, job: ActiveJob) -> None:
        """The job's cap is reserved: it may start."""
        require(not job.is_funded, "a job is funded once")
        self._leave_unfunded(job)
        job.is_funded = True
        self._enqueue(job)

    def unfund(self, job: ActiveJob) -> None:
        """The job's cap is no longer reserved: it waits for money again."""
        require(job.state is _WAITING, "only a waiting job loses its reservation")
        job.is_funded = False
        self._leave_queue(job)
        self._enqueue(job)

    def start(self, job: ActiveJob, attempt: str, shape: int, shares: tuple[Share, ...], now: int) -> None:
        """An attempt is planned: it holds its shares from now on."""
        if job.state is not _WAITING:
            check_transition(job.state, _STARTING)
        if not job.is_funded:
            raise BrokenInvariant("nothing starts without its cap reserved")
        if len(shares) != job.nodes:
            raise BrokenInvariant("a gang starts whole or not at all")
        if len(shares) > 1:
            nodes = self.fleet.nodes
            if len({nodes[share[1]].site for share in shares}) > 1:
                raise BrokenInvariant("a gang is at one site")
        name = job.job
        self.queue.remove(name)
        self.seen.fresh.pop(name, None)
        if name in self.calendar.promises:
            self.break_promise(name)
        self.fleet.take(shares)
        job.take_shape(shape)
        job.state = _STARTING
        job.attempt, job.shares, job.planned_ms = attempt, shares, now
        job.running_ms, job.stop_cause, job.stop_ms, job.saved_ms = None, None, None, 0
        job.attempts += 1
        self._hold(job, attempt)

    def run(self, job: ActiveJob, since_ms: int, job_since_ms: int) -> None:
        """The attempt runs, and its limit counts from now on."""
        job.running_ms, job.started_ms = since_ms, job_since_ms
        if job.state is not _STOPPING:
            if job.state is not _STARTING:
                check_transition(job.state, _RUNNING)
            job.state = _RUNNING
        if since_ms != job.planned_ms:
            self._expect(job, str(job.attempt))

    def stop(self, job: ActiveJob, cause: StopCause, grace_ms: int, now: int, notice_ms: int = 0) -> None:
        """The attempt is to stop: after its notice it is asked to, and lets go of its shares within its grace.

        Told again, it never has more time than before: so engines take it, and promises rest on when its nodes are free.
        """
        if job.state is not _STOPPING:
            check_transition(job.state, _STOPPING)
            job.state = _STOPPING
        elif job.stop_ms is not None:
            signal_ms = job.stop_ms + job.stop_notice_ms
            notice_ms = min(notice_ms, max(0, signal_ms - now))
            grace_ms = max(0, min(grace_ms, signal_ms + job.stop_grace_ms - now - notice_ms))
        job.stop_cause, job.stop_grace_ms, job.stop_ms, job.stop_notice_ms = cause, grace_ms, now, notice_ms
        self._expect(job, str(job.attempt))

    def release(self, job: ActiveJob, *, after: JobState) -> None:
        """The attempt is over: its shares are free; the job waits again or has ended."""
        if job.state is _WAITING or job.attempt is None:
            raise BrokenInvariant("only an attempt can end")
        self.fleet.give_back(job.shares)
        self._let_go(job, job.attempt)
        job.attempt, job.shares = None, ()
        job.running_ms, job.stop_cause, job.stop_ms = None, None, None
        job.state = after
        if after is _WAITING:
            # Noted now: whoever rebuilds the queue later must not ask what others hold by then.
            is_above = self.fair_share.standing(job.project, job.gpu_milli) is Standing.ABOVE_QUOTA
            job.stands_back = is_above and job.capacity_class is CapacityClass.ON_DEMAND
            self._enqueue(job)
        else:
            del self.jobs[job.job]

    def drop(self, job: ActiveJob) -> None:
        """A waiting job has ended without an attempt."""
        check_transition(job.state, JobState.ENDED)
        job.state = JobState.ENDED
        self._leave_queue(job)
        if not job.is_funded:
            self._leave_unfunded(job)
        self.jobs.pop(job.job)

    def move(self, job: ActiveJob, where: Where) -> None:
        """The rules that hold for a job, or the places they speak of, have changed: it may be elsewhere from now on."""
        is_queued = job.job in self.queue.members
        self.queue.remove(job.job)
        job.where = where
        job.ask_as(None)
        self.unsettle()
        if is_queued:
            self._push(job)

    def promise(self, given: Given, now: int) -> None:
        """A start is promised, or an earlier one than was promised before; or it is to be on other nodes."""
        self.looks.give(given.job, now)
        known = self.calendar.promises.get(given.job)
        entry = Entry(_PROMISE, given.job, given.from_ms, given.until_ms, given.nodes, given.is_shared)
        if known is None:
            self.calendar.add(entry)
        else:
            require(given.from_ms <= known.from_ms, "no promise moves later")
            self.calendar.replace(entry)

    def break_promise(self, job: str) -> None:
        """A promise does not hold any more; its nodes are spoken for by nobody."""
        self.looks.forget(job)
        self.calendar.remove(_PROMISE, job)

    def set_policy(self, policy: Policy) -> None:
        """Another policy holds from now on: the queue is sorted again. Promises that were given stay."""
        self.policy = policy
        self.fair_share.set_half_life(policy.half_life_hours)
        self.unsettle()
        for job in self.jobs.values():
            if job.job in self.queue.members:
                self.queue.remove(job.job)
                self._push(job)

    def note_nodes(self) -> None:
        """Nodes came, went, take work again or do not any more: promises on them may have to go elsewhere."""
        self.node_changes += 1
        self.seen.is_whole = False

    def note_freed(self, now: int) -> None:
        """Something was let go of, and a cycle follows: promises may be earlier ones by it."""
        self.looks.note_freed(now, self.policy.again_ms)

    def hold_in_order(self, attempts: Sequence[str]) -> None:
        """Have what holds shares in the order in which it began to: a snapshot's jobs are added in that of their submission."""
        self.holding = {attempt: self.holding[attempt] for attempt in attempts}
        self.spot = {job.job: job for job in self.holding.values() if job.job in self.spot}

    def unsettle(self) -> None:
        """Something changed that may let jobs start which did not fit: the next cycle looks at everything."""
        self.seen.is_whole = False

    def settle(self, plan: Plan, now: int) -> None:
        """A cycle has looked at everything, and its plan has just been carried out."""
        seen, calendar = self.seen, self.calendar
        _, _, _, _, heads, power_head, again_ms, is_whole, spot_lead_ms, yields = plan
        seen.is_whole, seen.at_ms, seen.freed, seen.heads = is_whole, now, calendar.freed, heads
        seen.nodes, seen.power_head = self.node_changes, power_head
        # A cycle that looked at new jobs alone knows nothing of the others.
        if again_ms is not None or seen.again_ms is not None:
            seen.again_ms = min((one for one in (again_ms, seen.again_ms) if one is not None and one > now), default=None)
        seen.spot_lead_ms, seen.yields, seen.entries = spot_lead_ms, yields, len(calendar.entries)
        if self.looks.due:
            self.looks.due.clear()
        if seen.caps != self.power_caps:
            seen.caps = dict(self.power_caps)
        if is_whole:
            seen.fresh.clear()

    def is_settled(self, now: int) -> bool:
        """Return whether nothing that waited when the last cycle looked can have come to fit since."""
        seen = self.seen
        if not seen.is_whole or seen.freed != self.calendar.freed or seen.caps != self.power_caps:
            return False
        if seen.again_ms is not None and seen.again_ms <= now:
            return False
        if seen.yields and seen.entries != len(self.calendar.entries):
            return False
        head, ahead = seen.power_head, self.queue.precedes
        if head is not None and head in self.queue.members and any(job != head and ahead(job, head, self.fair_share) for job in seen.fresh):
            return False  # who comes before it may take the power that is kept for it
        if not self.calendar.is_any_begun(now):
            return True
        begins, late = self.calendar.next_start(seen.at_ms), self._late_ms()
        return (begins is None or begins > now) and (late is None or late > now)

    def power_room(self) -> PowerRoom:
        """Return what the racks of each capped site may draw now besides what is held."""
        return self.power.room(self.power_caps, self.holding)

    def is_quiet(self, now: int) -> bool:
        """Return whether a cycle would find nobody who waits and nothing that is capped or spoken for."""
        if self.queue.members or self.power_caps or self.calendar.entries:
            return False
        return not self.delayed or self.delayed[0][0] > now

    def wake(self, now: int) -> None:
        """Move jobs whose delay is over into the queue."""
        while self.delayed and self.delayed[0][0] <= now:
            _, name = heapq.heappop(self.delayed)
            job = self.jobs.get(name)
            if job is None or job.state is not _WAITING or not job.is_funded or job.not_before_ms > now:
                continue
            if job.job not in self.queue.members:
                self._push(job)

    def next_instant(self) -> int | None:
        """Return when something is due without any event, or None: a delay is over, an entry begins or was not kept."""
        seen, calendar = self.seen, self.calendar
        due = [self.agenda.next_instant(), seen.again_ms]
        if self.delayed:
            due.append(self.delayed[0][0])
        if calendar.entries:
            due.append(self._late_ms())
            due.append(calendar.next_start(seen.at_ms))
            if self.spot and (begins := calendar.next_start(seen.at_ms + seen.spot_lead_ms)) is not None:
                due.append(begins - self.spot_lead_ms)
        soonest = None
        for at_ms in due:
            if at_ms is not None and (soonest is None or at_ms < soonest):
                soonest = at_ms
        return soonest

    def _late_ms(self) -> int | None:
        """When the next promise that nobody kept is broken, for all that the last cycle knew."""
        begins = self.calendar.next_start(self.seen.at_ms - TOLERANCE_MS - 1)
        return begins + TOLERANCE_MS + 1 if begins is not None else None

    def _enqueue(self, job: ActiveJob) -> None:
        if not job.is_funded:
            insort(self.unfunded.setdefault(job.project, []), (job.key(), job.job))
        elif job.not_before_ms:
            heapq.heappush(self.delayed, (job.not_before_ms, job.job))
        else:
            self._push(job)

    def _push(self, job: ActiveJob) -> None:
        length = job.length_ms
        served_ms = served_as_of(self.policy, job.submitted_ms, job.predicted_ms or length)
        request = job.request
        if request is None or not request.is_known:
            request = self.queue.request(job.asks())
            job.ask_as(request)
        self.queue.push(job.job, job.key(), request, job.project, served_ms, length)
        self.seen.fresh[job.job] = None

    def _leave_queue(self, job: ActiveJob) -> None:
        """A job waits for its start no more, for another reason than that it starts."""
        self.queue.remove(job.job)
        self.seen.fresh.pop(job.job, None)
        if job.job in self.seen.heads:
            self.unsettle()
        if job.job in self.calendar.promises:
            self.break_promise(job.job)

    def _hold(self, job: ActiveJob, attempt: str) -> None:
        self.holding[attempt] = job
        if self.power.is_followed:
            self.power.take(job.shares)
        if self.agenda.closing:
            self.agenda.hold(attempt, job.shares, job.grace_ms)
        is_spot = job.capacity_class is _SPOT
        self.fair_share.hold(job.project, job.gpu_milli, is_spot=is_spot)
        if is_spot:
            self.spot[job.job] = job
            self.spot_grace_ms = max(self.spot_grace_ms, job.grace_ms)
        self.releases.note(attempt, job)

    def _expect(self, job: ActiveJob, attempt: str) -> None:
        """Note when an attempt lets go of its shares; whoever yields to a promised gang may pass it where that is later now."""
        if self.releases.note(attempt, job) and self.seen.yields:
            self.seen.is_whole = False

    def _let_go(self, job: ActiveJob, attempt: str) -> None:
        del self.holding[attempt]
        if self.agenda.leaves:
            self.agenda.let_go(attempt)
        if self.power.is_followed:
            self.power.give_back(job.shares)
        is_spot = job.capacity_class is _SPOT
        self.fair_share.hold(job.project, -job.gpu_milli, is_spot=is_spot)
        if is_spot:
            del self.spot[job.job]
        self.releases.forget(attempt)
        self.seen.is_whole = False

    def _leave_unfunded(self, job: ActiveJob) -> None:
        waiting = self.unfunded[job.project]
        del waiting[bisect_left(waiting, (job.key(), job.job))]
        if not waiting:
            del self.unfunded[job.project]
