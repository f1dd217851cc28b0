"""Placing jobs while a plan is made: on the live fleet and calendar, within the power of the sites; and who gives way for that.

Whatever is taken here is given back by `roll_back`: a plan is a value, and the applier makes it true.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from eisbach.core.admission.giving_way import all_running, asks_of, candidates, first_eligible_ms, may_anybody, right_of
from eisbach.core.admission.guard import Guards
from eisbach.core.admission.plan import Start, Stop
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.scheduling.backfill import Release
from eisbach.core.scheduling.order import Request
from eisbach.core.scheduling.preempt import above_caps, for_waiting

PREEMPTION_TRIES_MAX: Final = 8
"""Kinds of waiting jobs for which one cycle looks whether spot could make room; the first for which it can gets it."""

SPOT_AT_LEAST_MS: Final = 60_000
"""Spot starts where it may stay so long before it has to leave for an entry of the calendar."""
NOT_AT_ALL: Final = -1
Placed = tuple[int, tuple[Share, ...]]


class Placing:
    """The fleet, the calendar and the power of one cycle, with what the plan takes of them."""

    __slots__ = (
        "_entering", "_freed", "_guards", "_pending", "_room", "_struck", "_undo", "again_ms", "now", "power_head", "preemptions_left", "starts", "state", "stops",
    )  # fmt: skip

    def __init__(self, state: SchedulerState, now: int) -> None:
        self.state, self.now = state, now
        self.starts: dict[str, Start] = {}
        self.power_head: str | None = None
        self.stops: dict[str, Stop] = {}
        """who gives way, in the order in which that was decided"""
        self._undo: list[Callable[[], object]] = []
        self.again_ms: int | None = None
        self.preemptions_left = PREEMPTION_TRIES_MAX if state.spot or state.fair_share.is_any_above else 0
        """for how many more this plan looks whether somebody gives way: 0 where nobody could"""
        self._room = state.power_room()
        self._guards: Guards | None = None
        self._pending: tuple[Share, ...] | None = None
        self._entering: Entry | None = None
        self._struck: Callable[[], object] | None = None
        self._freed = state.calendar.freed

    # Who gives way.

    def give_way(self) -> None:
        """Choose who stops where a site draws more than its cap allows, and which spot leaves what a booking or a promise needs soon."""
        if self.state.power_caps:
            self._give_way_to_caps()
        if self.state.spot:
            self._give_way_to_entries()

    def _give_way_to_caps(self) -> None:
        if over := self._room.over():
            for one in above_caps(self.state.fleet, all_running(self.state, self.now, self.stops), over):
                self.stops.setdefault(one.job, Stop(one.job, StopCause.POWER_CAP))

    def _give_way_to_entries(self) -> None:
        """Spot leaves nodes that an entry needs soon: so early that all its grace is over by then."""
        state = self.state
        soon = self.now + state.spot_lead_ms
        if not state.calendar.starts(self.now, soon + 1):
            return
        for job in state.spot.values():
            if job.state is not JobState.STOPPING and self._begins_ms(job, soon) is not None:
                self._preempt(job)

    def _begins_ms(self, job: ActiveJob, soon: int) -> int | None:
        """Return when the first entry that dates a node of a job begins after now and by an instant; one may be going on there already."""
        nodes, found = self.state.fleet.nodes, list[int]()
        for share in job.shares:
            dated_ms = nodes[share.node].dated_ms
            if dated_ms is not None and dated_ms <= soon:
                met = self.state.calendar.meeting(share.node, self.now + 1, soon + 1)
                found += [entry.from_ms for entry in met if entry.from_ms > self.now and not entry.is_shared]
        return min(found, default=None)

    def _preempt(self, job: ActiveJob) -> None:
        """Have a job give way: after its notice, or a shorter one where its nodes are to be free before notice and grace are over."""
        notice_ms = self.state.policy.notice_ms if job.running_ms is not None else 0
        if notice_ms:
            begins_ms = self._begins_ms(job, self.now + notice_ms + job.grace_ms)
            if begins_ms is not None:
                notice_ms = max(0, begins_ms - self.now - job.grace_ms)
        self.stops.setdefault(job.job, Stop(job.job, StopCause.PREEMPTION, notice_ms))

    def preempt_for(self, job: ActiveJob) -> None:
        """Choose which spot, or work above a quota, stops so that a job fits: for the first one that waits and that this helps."""
        if self.preemptions_left == 0:
            return
        state, now = self.state, self.now
        right = right_of(state, job)
        if not may_anybody(state, right):
            return
        self.preemptions_left -= 1
        self.take_pending()
        if state.calendar.shared:
            self._guarding()  # before anybody is taken away to see whether that would help
        running = candidates(state, now, right, self.stops, [state.jobs[name] for name in self.starts])
        asks = asks_of(job, now + job.length_ms, self._booked_nodes(job))
        chosen = for_waiting(state.fleet, self._room, running, right, lambda: self.place(job) is not None, asks)
        if chosen is not None:
            self.preemptions_left = 0
            for one in chosen:
                self._preempt(state.jobs[one.job])
            return
        self.look_again(first_eligible_ms(state, now, right))

    def look_again(self, at_ms: int | None) -> None:
        """Note an instant at which somebody may start for whom nothing has to be freed."""
        if at_ms is not None and (self.again_ms is None or at_ms < self.again_ms):
            self.again_ms = at_ms

    # What fits.

    def place(self, job: ActiveJob) -> Placed | None:
        """Return where a job fits now: its first shape that does, at the first site whose power carries it.

        What it takes must be free again by the next entry of the calendar there. Spot leaves in time when it is told to.
        """
        if not job.booking and job.capacity_class is not CapacityClass.SPOT:
            ends_by = self.now + job.length_ms
            reach = self._reach(self.asked(job), ends_by)
            return self._place(job, ends_by) if reach is None or reach >= ends_by else None
        self.take_pending()
        if job.booking:
            booked = self._booked_nodes(job)
            return self._place(job, self.now + job.length_ms, booked) if booked else None
        soonest = self.now + max(self.state.spot_lead_ms, job.grace_ms + self.state.policy.notice_ms) + SPOT_AT_LEAST_MS
        placed = self._place(job, soonest)
        if placed is None and (idle := self.state.calendar.booked_now(self.now, soonest)):
            placed = self._place(job, soonest, idle)
        return placed

    def fits(self, job: ActiveJob) -> bool:
        """Return whether a job fits now: `place` finds where."""
        if self.state.power_caps or self.state.calendar.shared or job.booking or job.capacity_class is CapacityClass.SPOT:
            return self.place(job) is not None
        return self.fits_until(self.asked(job), self.now + job.length_ms)

    def _place(self, job: ActiveJob, ends_by: int, among: Sequence[str] | None = None) -> Placed | None:
        fleet, is_limited = self.state.fleet, self.state.power_caps or self.state.calendar.shared
        for index, shape in enumerate(job.shapes):
            if is_limited:
                shares = self._place_shape(job, shape, ends_by, among)
            else:
                shares = fleet.place(shape, job.nodes, job.where, within=job.within, ends_by=ends_by, among=among)
            if shares is not None:
                return index, shares
        return None

    def _place_shape(self, job: ActiveJob, shape: NodeShape, ends_by: int, among: Sequence[str] | None) -> tuple[Share, ...] | None:
        """Return where one shape of a job fits. Nodes that a promise needs a part of are left out once they are found too full."""
        fleet, where = self.state.fleet, job.where
        left_out: dict[str, int | None] = {}
        while (shares := fleet.place(shape, job.nodes, where, within=job.within, ends_by=ends_by, among=among)) is not None:
            lacking = self._room.lacks(shares)
            if lacking:
                sites = where.sites if where.sites is not None else fleet.sites()
                where = replace(where, sites=frozenset(sites) - lacking)
                continue
            # Nobody tells spot to leave a promise that shares its nodes: it counts to its limit, as all others do.
            too_full = self._guarding().too_full(shares, self.now + job.length_ms) if self.state.calendar.shared else ()
            if not too_full:
                break
            if among is not None:
                among = [name for name in among if name not in too_full]
                continue
            for name in too_full:
                left_out.setdefault(name, fleet.nodes[name].dated_ms)
                fleet.set_dated(name, self.now - 1)
        for name, date in left_out.items():
            fleet.set_dated(name, date)
        return shares

    def _booked_nodes(self, job: ActiveJob) -> tuple[str, ...] | None:
        """Return the nodes of the booking that a job is in, none outside its window; None for a job without one."""
        if not job.booking:
            return None
        entry = self.state.calendar.get(EntryKind.BOOKING, job.booking)
        is_inside = entry is not None and entry.from_ms <= self.now <= entry.until_ms - job.length_ms
        return entry.nodes if entry is not None and is_inside else ()

    def asked(self, job: ActiveJob) -> Request:
        """Return what a job asks for, as the queue calls it."""
        return job.request or self.state.queue.request(job.asks())

    def falls_short(self, request: Request, length_ms: int) -> int | None:
        """Return how long who asks for this may hold his nodes where a count tells that it is not so long; None where it does not.

        NOT_AT_ALL where nobody fits, however short.
        """
        reach, now = self._reach(request, 0), self.now
        if reach is None or reach >= now + length_ms:
            return None
        return reach - now if reach > now else NOT_AT_ALL

    def longest(self, job: ActiveJob) -> int:
        """Return how long a job that asks for the same may hold its nodes so that it fits now; NOT_AT_ALL if it never does.

        Only what is free at the entries' starts differs with the length, so few looks are enough.
        """
        if job.capacity_class is CapacityClass.SPOT or job.booking:
            return NOT_AT_ALL
        request = self.asked(job)
        shorter = self.falls_short(request, job.length_ms)
        if shorter is not None:
            return shorter
        starts = self.state.calendar.starts(self.now, self.now + job.length_ms)
        low, high = 0, len(starts)
        while low < high:
            middle = (low + high) // 2
            if self.fits_until(request, starts[middle]):
                low = middle + 1
            else:
                high = middle
        return starts[low - 1] - self.now if low else NOT_AT_ALL

    def _reach(self, request: Request, ends_by: int) -> int | None:
        """Return until when somebody may last who asks for this and is placed now; None where a count does not tell.

        It may be less where it is before `ends_by`: what started or was promised last is only taken where somebody may fit, as that makes
        room for nobody.
        """
        reach = self.state.fleet.reach(request)
        if (self._pending is not None or self._entering is not None) and (reach is None or reach >= ends_by):
            self.take_pending()
            reach = self.state.fleet.reach(request)
        return reach

    def fits_until(self, request: Request, ends_by: int) -> bool:
        """Return whether work that asks for this and ends by an instant fits now; for 0, whether it would if no entry of the calendar were in its way."""
        reach = self._reach(request, ends_by)
        if reach is not None:
            return reach >= ends_by
        place, nodes, where, within = self.state.fleet.place, request.nodes, request.where, request.within
        return any(place(shape, nodes, where, within=within, ends_by=ends_by) is not None for shape in request.shapes)

    def keep_power_for(self, job: ActiveJob) -> bool:
        """Return whether a job lacks nothing but power; then nothing behind it takes what is left of that.

        A job that no cap would ever carry keeps nothing.
        """
        for shares, lacking in self._short_of_power(job):
            if self._room.could_ever(shares):
                self._room.close(lacking)
                self.power_head = self.power_head or job.job
                return True
        return False

    def is_short_of_power(self, job: ActiveJob) -> bool:
        """Return whether a job lacks nothing but power, whether or not a cap would ever carry it."""
        return any(True for _ in self._short_of_power(job))

    def _short_of_power(self, job: ActiveJob) -> Iterator[tuple[tuple[Share, ...], frozenset[str]]]:
        """Yield where a job would be if power were no matter, and the sites whose caps are in its way."""
        if not self.state.power_caps:
            return
        self.take_pending()
        for shape in job.shapes:
            shares = self.state.fleet.place(shape, job.nodes, job.where, within=job.within, ends_by=self.now + job.length_ms)
            lacking = self._room.lacks(shares) if shares is not None else frozenset()
            if shares is not None and lacking:
                yield shares, lacking

    def releases(self) -> Iterator[Release]:
        """Yield when whatever is held, and what the plan starts, will be free at the latest; in that order."""
        state, now, stops = self.state, self.now, self.stops
        planned = [(now + state.jobs[start.job].length_ms, start.shares) for start in self.starts.values()]
        if not stops:
            held = _of_running(state)
            return heapq.merge(held, sorted(planned, key=_instant), key=_instant) if planned else held
        planned += [
            (min(at_ms, now + stops[job.job].notice_ms + job.grace_ms) if job.job in stops else at_ms, job.shares)
            for at_ms, _, job in state.releases.by_limit
        ]
        return iter(sorted(planned, key=_instant))

    # What the plan takes, and gives back in the end.

    def start(self, job: ActiveJob) -> bool:
        """Take shares for a job where it fits now; return whether it does, and so starts."""
        placed = self.place(job)
        if placed is None:
            return False
        index, shares = placed
        fair_share, held, is_spot = self.state.fair_share, job.gpu_milli, job.capacity_class is CapacityClass.SPOT
        fair_share.hold(job.project, held, is_spot=is_spot)
        self._undo.append(lambda: fair_share.hold(job.project, -held, is_spot=is_spot))
        self._pending = shares
        self._room.take(shares)
        if self.state.calendar.shared:
            self._guarding().take(shares, self.now + job.length_ms)
        self.starts[job.job] = Start(job.job, index, shares)
        return True

    def take_pending(self) -> None:
        """Take what started and what was promised last: the last start and the last promise of a plan need not be taken, as nobody looks after it."""
        shares, fleet, entry = self._pending, self.state.fleet, self._entering
        if shares is not None:
            self._pending = None
            fleet.take(shares)
            self._undo.append(lambda: fleet.give_back(shares))
        if entry is not None:
            self._entering = None
            self.enter(entry)

    def promise(self, entry: Entry) -> None:
        """Add a promise to the calendar before anybody looks at it again; one that shares its nodes at once, as that limits all placing."""
        self.take_pending()
        if entry.is_shared:
            self.enter(entry)
        else:
            self._entering = entry

    def enter(self, entry: Entry) -> None:
        """Add an entry to the calendar."""
        self.state.calendar.add(entry)
        self._undo.append(lambda: self.state.calendar.remove(entry.kind, entry.id))
        self._guards = None

    def strike(self, entry: Entry) -> None:
        """Take an entry out of the calendar."""
        self.take_pending()
        self.state.calendar.remove(entry.kind, entry.id)
        self._struck = lambda: self.state.calendar.add(entry)
        self._undo.append(self._struck)
        self._guards = None

    def replace(self, entry: Entry) -> None:
        """Put an entry into the calendar in the place of the one with its kind and id."""
        before = self.state.calendar.replace(entry)
        self._undo.append(lambda: self.state.calendar.replace(before))
        self._guards = None

    def put_back(self, entry: Entry) -> None:
        """Enter what was struck again; where nothing else was done meanwhile, nothing was done at all."""
        if self._undo and self._undo[-1] is self._struck:
            self._undo.pop()()
            self._guards = None
        else:
            self.enter(entry)

    def roll_back(self) -> None:
        """Leave the state as it was."""
        while self._undo:
            self._undo.pop()()
        self.state.calendar.freed = self._freed  # what was struck to see whether that would help is spoken for again: nobody has come to fit

    def _guarding(self) -> Guards:
        if self._guards is None:
            self.take_pending()
            self._guards = Guards(self.state, self.now, self.releases())
        return self._guards


def _of_running(state: SchedulerState) -> Iterator[Release]:
    for at_ms, _, job in state.releases.by_limit:
        yield at_ms, job.shares


def _instant(release: Release) -> int:
    return release[0]
