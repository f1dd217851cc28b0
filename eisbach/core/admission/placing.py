"""Placing jobs while a plan is made: on the live fleet, within the power of the sites, and who gives way for that."""

from dataclasses import replace

from eisbach.core.admission.plan import Stop
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.power import PowerRoom
from eisbach.core.scheduling.preempt import Running, above_caps, for_waiting, work_lost

RIGHTS = {CapacityClass.SPOT: 0, CapacityClass.ON_DEMAND: 1, CapacityClass.RESERVED: 2}
"""What gives way first has the lowest right."""

PREEMPTION_TRIES_MAX = 8
"""Kinds of waiting jobs for which one cycle looks whether spot could make room; the first for which it can gets it."""

Placed = tuple[int, tuple[Share, ...]]


class Placing:
    """The fleet and the power of one cycle. Only shares taken with `take` stay taken, until the cycle rolls back."""

    def __init__(self, state: SchedulerState, now: int) -> None:
        self.state, self._now = state, now
        self.power_head: str | None = None
        self._stops: dict[str, Stop] = {}
        self._preemptions_left = PREEMPTION_TRIES_MAX
        self._known: list[Running] | None = None
        self._room = PowerRoom(state.power_caps, state.fleet, (job.shares for job in state.holding.values()))

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Return who gives way, in the order in which that was decided."""
        return tuple(self._stops.values())

    def give_way_to_caps(self) -> None:
        """Choose who stops where a site draws more than its cap allows."""
        over = self._room.over()
        if over:
            self._stop(above_caps(self.state.fleet, self._running(), over), StopCause.POWER_CAP)

    def place(self, job: ActiveJob) -> Placed | None:
        """Return where a job fits now: its first shape that does, at the first site whose power carries it."""
        for index, shape in enumerate(job.shapes):
            where = job.where
            while (shares := self.state.fleet.place(shape, job.nodes, where, within=job.within)) is not None:
                lacking = self._room.lacks(shares)
                if not lacking:
                    return index, shares
                sites = where.sites if where.sites is not None else self.state.fleet.sites()
                where = replace(where, sites=frozenset(sites) - lacking)
        return None

    def take(self, shares: tuple[Share, ...]) -> None:
        """Take shares for the rest of the plan."""
        self.state.fleet.take(shares)
        self._room.take(shares)

    def preempt_for(self, job: ActiveJob) -> None:
        """Choose which spot work stops so that a job fits: for the first one that waits and that this helps."""
        right = RIGHTS[job.capacity_class]
        if self._preemptions_left == 0 or right == 0:
            return
        self._preemptions_left -= 1
        running = self._running()
        if not any(one.right < right and not one.is_leaving for one in running):
            self._preemptions_left = 0  # nobody could make room for anybody: the fleet need not be walked for that
            return
        chosen = for_waiting(self.state.fleet, self._room, running, right, lambda: self.place(job) is not None)
        if chosen is not None:
            self._preemptions_left = 0
            self._stop(chosen, StopCause.PREEMPTION)

    def keep_power_for(self, job: ActiveJob) -> bool:
        """Return whether a job lacks nothing but power; then nothing behind it takes what is left of that.

        A job that no cap would ever carry keeps nothing.
        """
        for shape in job.shapes:
            shares = self.state.fleet.place(shape, job.nodes, job.where, within=job.within)
            if shares is not None and self._room.could_ever(shares):
                self._room.close(self._room.lacks(shares))
                self.power_head = self.power_head or job.job
                return True
        return False

    def releases(self) -> list[tuple[int, tuple[Share, ...]]]:
        """Return when whatever is held will be free at the latest."""
        leaving = self._now
        return [
            (min(job.releases_ms, leaving + job.grace_ms) if job.job in self._stops else job.releases_ms, job.shares)
            for job in self.state.holding.values()
        ]

    def _stop(self, chosen: list[Running], cause: StopCause) -> None:
        self._known = None
        for one in chosen:
            self._stops.setdefault(one.job, Stop(one.job, cause))

    def _running(self) -> list[Running]:
        """Return what holds shares, as it stands after the stops so far; what starts in this plan never gives way in it."""
        if self._known is None:
            self._known = self._look()
        return self._known

    def _look(self) -> list[Running]:
        return [
            Running(
                job=job.job,
                right=RIGHTS[job.capacity_class],
                lost=work_lost(self._now - job.running_ms if job.running_ms is not None else 0, job.shares),
                shares=job.shares,
                is_leaving=job.state is JobState.STOPPING or job.job in self._stops,
            )
            for job in self.state.holding.values()
        ]
