"""Promised starts while a plan is made: who gets one, whether it can be earlier, and what breaks it."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from itertools import dropwhile

from eisbach.core.admission.giving_way import is_above_quota
from eisbach.core.admission.leaving_room import is_crowding
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.backfill import Gang, Slot, earliest
from eisbach.core.scheduling.order import Request
from eisbach.core.scheduling.promise import TOLERANCE_MS, BreakCause, Broken, Given


class Promising:
    """The promises of one cycle, given and to be given."""

    __slots__ = ("_now", "_placing", "_state", "_was_refused", "broken", "given", "leaves_room")

    def __init__(self, placing: Placing) -> None:
        self._placing, self._state, self._now = placing, placing.state, placing.now
        self.given: dict[str, Given] = {}
        self.broken: list[Broken] = []
        self.leaves_room = False
        """whether those who have been looked at may get more: a promised job starts and leaves nodes that were named, a part of one, or a
        promise; or who could not take what is free now has a later start to be promised, beside a promise given to somebody after him"""
        self._was_refused = False

    def begin(self) -> None:
        """Break what cannot be kept, start whose time has come, and bring other promises nearer where that is possible."""
        if not self._is_any_touched():
            return
        promises = self._in_order(self._state.calendar.promises)
        for entry in promises:
            if self._is_unkept(entry):
                self._break(entry)
        for entry in promises:
            job = self._state.jobs[entry.id]
            if entry.id not in self._state.calendar.promises:
                continue
            if entry.from_ms <= self._now:
                if not self.start(job):
                    self._make_room(job, entry)
            elif entry.id in self._state.looks.due:
                self._bring_nearer(job, entry)

    def _is_any_touched(self) -> bool:
        """Return whether there is anything to do for a promise before its job is met in the queue; mostly there is nothing."""
        state, now = self._state, self._now
        if state.looks.due or state.seen.nodes != state.node_changes:
            return True
        promises = state.calendar.promises
        for entry in promises.values():
            if entry.from_ms <= now:
                return True
        return not promises.keys() <= state.queue.members.keys()

    def _in_order(self, jobs: Iterable[str]) -> list[Entry]:
        """Return the promises of some jobs, the soonest first."""
        promises = self._state.calendar.promises
        return sorted([promises[job] for job in jobs], key=lambda entry: (entry.from_ms, entry.id))

    def may_have(self, job: ActiveJob, *, is_head: bool) -> bool:
        """Return whether a job that has to wait is one of those that get a promise, as long as their pool carries one more."""
        policy = self._state.policy
        if policy.promises_max == 0 or job.capacity_class is not CapacityClass.ON_DEMAND:
            return False
        if not is_head and not 0 < policy.promised_nodes <= job.nodes:
            return False
        return not is_above_quota(self._state, job)  # what is starts from what others leave idle, and nobody knows when that is

    def give(self, job: ActiveJob, request: Request) -> bool:
        """Promise a job, which asks for this, the earliest start that limits allow; return whether its pool carries one more.

        Nobody who cannot start now is promised now: power is short, or work before it outran its limit. Such a promise would
        be broken, and given again, for as long as that lasts.
        """
        at_most = self._state.policy.promises_max
        self._placing.take_pending()
        if not self.has_pool_left(request):
            return False
        slot = self._earliest(job)
        if slot is None or slot.at_ms <= self._now or self._in_pool(self._pool(slot.nodes)) >= at_most:
            self._was_refused |= slot is not None and slot.at_ms <= self._now
            return False
        self.leaves_room |= self._was_refused
        self._enter(job, slot, None)
        return True

    # One promise.

    def has(self, job: ActiveJob) -> bool:
        """Return whether a job has a promise."""
        return job.job in self._state.calendar.promises

    def start(self, job: ActiveJob) -> bool:
        """Start a promised job where it fits, on the nodes that were named or earlier on others; return whether it does."""
        placing = self._placing
        entry = self._state.calendar.promises[job.job]
        if entry.from_ms > self._now and not (placing.fits_until(placing.asked(job), 0) and self._has_enough(job, entry)):
            return False
        placing.strike(entry)
        has_started = (entry.from_ms <= self._now or not is_crowding(placing, job)) and placing.start(job)
        if has_started:
            self.given.pop(job.job, None)
            if not self.leaves_room:
                is_one_more = len(self._state.calendar.promises) + 1 == self._state.policy.promises_max
                self.leaves_room = is_one_more or self._leaves(entry, placing.starts[job.job].shares)
        else:
            placing.put_back(entry)
        return has_started

    def start_unmet(self, met: Set[str]) -> None:
        """Start who is promised a start and fits now, of those that the walk passed over: somebody who asks the same had to wait before them.

        To those that are promised nothing their own promise is not in the way.
        """
        unmet = self._state.calendar.promises.keys() - met
        for entry in self._in_order(unmet) if unmet else ():
            if entry.id in self._state.queue.members and entry.id not in self._placing.starts:
                self.start(self._state.jobs[entry.id])

    def _leaves(self, entry: Entry, shares: Sequence[Share]) -> bool:
        """Return whether a promised job that starts on these shares leaves nodes that were named for it, or a part of one."""
        if entry.is_shared or not {share.node for share in shares}.issuperset(entry.nodes):
            return True
        seats = ((self._state.fleet.seat_of(share.node), share) for share in shares)
        return any(seat is None or not seat[0].is_all_of_a_node(share) for seat, share in seats)

    def wait(self, job: ActiveJob) -> None:
        """A promised job cannot start yet: spot, or work above a quota, gives way to it too, unless it begins before that could be over.

        It was promised a start by what others hold to their limits.
        """
        entry = self._state.calendar.promises[job.job]
        if entry.from_ms > self._now + self._state.spot_lead_ms:
            self._make_room(job, entry)

    def keep_power(self) -> None:
        """Where only new jobs are looked at: what is left of power is kept for the same job as when the others were."""
        job = self._state.jobs.get(self._state.seen.power_head or "")
        if job is not None and job.job in self._state.queue:
            entry = self._state.calendar.promises.get(job.job)
            if entry is not None:
                self._make_room(job, entry)
            else:
                self._placing.keep_power_for(job)

    def _make_room(self, job: ActiveJob, entry: Entry) -> None:
        placing = self._placing
        placing.strike(entry)  # its own nodes are not in its way
        placing.preempt_for(job)
        if entry.from_ms <= self._now:
            placing.keep_power_for(job)
        placing.put_back(entry)

    def _has_enough(self, job: ActiveJob, entry: Entry) -> bool:
        """Return whether a gang of whole nodes may fit early on its own nodes and what others leave: a count, before anything moves.

        Its own are among those that are spoken for from its start on: what something earlier speaks for it could not have either.
        """
        ends_by, fleet = self._now + job.length_ms, self._state.fleet
        for shape in job.shapes:
            vacant = 0
            for pool in fleet.pools_for(shape, job.where):
                if pool.each(shape) != 1 or pool.loose:
                    return True  # more than idle nodes count: the placing itself has to look
                vacant += pool.vacant_count(ends_by)
                if entry.from_ms < ends_by and entry.from_ms in pool.idle:
                    vacant += pool.idle[entry.from_ms].total
            if vacant >= job.nodes:
                return True
        return False

    def _bring_nearer(self, job: ActiveJob, entry: Entry) -> None:
        slot = self._earliest(job)
        # What fits now starts in its turn: others may stand before it.
        if slot is not None and self._now < slot.at_ms <= entry.from_ms and (slot.at_ms, slot.nodes) != (entry.from_ms, entry.nodes):
            self._enter(job, slot, entry)

    def _break(self, entry: Entry) -> None:
        self._placing.strike(entry)  # first: its own nodes are not in its way
        self.broken.append(Broken(entry.id, entry.from_ms, self._cause(entry)))

    def _enter(self, job: ActiveJob, slot: Slot, before: Entry | None) -> None:
        until_ms = slot.at_ms + job.length_ms
        entry = Entry(EntryKind.PROMISE, job.job, slot.at_ms, until_ms, slot.nodes, slot.is_shared)
        if self.has(job):
            self._placing.replace(entry)
        else:
            self._placing.promise(entry)
        self.given.pop(job.job, None)
        self.given[job.job] = Given(job.job, slot.at_ms, until_ms, slot.nodes, slot.is_shared, before.from_ms if before is not None else None)

    def _earliest(self, job: ActiveJob) -> Slot | None:
        """Return the earliest start of a job that limits allow; what it is promised already is not in its way."""
        self._placing.take_pending()
        gang = Gang(job.shapes, job.nodes, job.length_ms, job.where, job.within)
        # Nobody knows when what has outrun its limit lets go: no promise is built on it.
        releases = dropwhile(lambda release: release[0] <= self._now, self._placing.releases())
        view = self._state.calendar.without((job.job,) if self.has(job) else ())
        return earliest(self._state.fleet, view, releases, gang, self._now)

    # What holds for it.

    def _is_unkept(self, entry: Entry) -> bool:
        if self._now > entry.from_ms + TOLERANCE_MS or entry.id not in self._state.queue:
            return True
        if self._state.seen.nodes == self._state.node_changes:
            return False
        return any(self._is_out(name, entry.from_ms) for name in entry.nodes)

    def _is_out(self, name: str, until_ms: int) -> bool:
        """Return whether a node takes no work, and nothing says that it will again by an instant: maintenance that is over then."""
        node = self._state.fleet.nodes[name]
        if node.available and not node.removed:
            return False
        now = self._state.calendar.meeting(name, self._now, self._now + 1)
        is_maintained = any(not one.kind.is_tenants and one.until_ms <= until_ms for one in now)
        return node.removed or node.drained or not is_maintained

    def _cause(self, entry: Entry) -> BreakCause:
        if entry.id not in self._state.queue:
            return BreakCause.TENANT
        nodes = [self._state.fleet.nodes[name] for name in entry.nodes]
        if any(not node.available or node.removed for node in nodes):
            return BreakCause.OPERATOR if any(node.drained_by for node in nodes) else BreakCause.HARDWARE
        is_short = self._placing.is_short_of_power(self._state.jobs[entry.id])
        return BreakCause.POWER_CAP if is_short else BreakCause.LATE_RELEASE

    def _in_pool(self, pool: str) -> int:
        return sum(1 for entry in self._state.calendar.promises.values() if self._pool(entry.nodes) == pool)

    def has_pool_left(self, request: Request) -> bool:
        """Return whether a pool that jobs with a request could be in carries one more promise."""
        full = self.full_pools()
        return full is None or self.is_one_left(request, full)

    def full_pools(self) -> frozenset[str] | None:
        """Return the pools that carry no more promises, as they stand; None where there are fewer promises than one pool carries."""
        at_most, promises = self._state.policy.promises_max, self._state.calendar.promises
        if len(promises) < at_most:
            return None
        counts = Counter(self._pool(entry.nodes) for entry in promises.values())
        return frozenset(pool for pool, count in counts.items() if count >= at_most)

    def is_one_left(self, request: Request, full: frozenset[str]) -> bool:
        """Return whether jobs with a request could be in a pool that is none of the full ones."""
        pools_for, where = self._state.fleet.pools_for, request.where
        return any(pool.name not in full for shape in request.shapes for pool in pools_for(shape, where))

    def _pool(self, nodes: tuple[str, ...]) -> str:
        return self._state.fleet.nodes[nodes[0]].pool
