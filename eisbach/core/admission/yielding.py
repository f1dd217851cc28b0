"""Large gangs do not put one another off: who may not start now, though it fits, because a promised gang before it would start later."""

from collections.abc import Iterator
from heapq import merge
from typing import Final

from eisbach.core.admission.leaving_room import is_crowding
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.backfill import Gang, Release, Sweep
from eisbach.core.scheduling.order import ANY_LENGTH, served_as_of

NOBODY: Final = 1 << 62
"""More nodes than any gang needs."""


class Yielding:
    """The gangs of one cycle that leave promised ones their expected start.

    A promise is dated by limits, and work ends long before them. So a gang that fits before a promise by its limit may
    still take the nodes with which the promised gang would have started: this again and again keeps the largest waiting
    longest. The expected start takes predictions in place of limits (D. Tsafrir et al., TPDS 18(6), 2007, section 4); what has
    outrun its prediction counts with its limit. As in EASY's rule a gang passes that is over by then, or needs only nodes that
    are left then (A. Mu'alem and D. Feitelson, TPDS 12(6), 2001).
    """

    __slots__ = ("_at_least", "_expected", "_placing", "_starts", "is_any")

    def __init__(self, placing: Placing) -> None:
        self._placing = placing
        self._at_least = placing.state.policy.promised_nodes or NOBODY
        """how many nodes a gang needs to be promised a start for that; half as many, and it may have to wait for one"""
        self.is_any = False
        """whether somebody had to wait"""
        self._expected: dict[str, tuple[int, int] | None] = {}
        self._starts = -1

    def beside_ms(self, job: ActiveJob) -> int | None:
        """Return how short a gang would have to be that would fit now and has to wait for a promised one before it; None where it need not.

        Who has to leave small work room (leaving_room.py) keeps nobody waiting who asks the same.
        """
        if 2 * job.nodes < self._at_least:
            return None
        waits = self.for_whom(job)
        if waits is None:
            is_held_back = is_crowding(self._placing, job)
            self.is_any |= is_held_back
            return ANY_LENGTH if is_held_back else None
        self.is_any = True
        self._placing.look_again(self._placing.state.releases.next_outrun(self._placing.now))
        return waits[1] - self._placing.now

    def for_whom(self, job: ActiveJob) -> tuple[str, int] | None:
        """Return the promised gang that one which would fit now waits for, and when that is expected to start; or None."""
        state, now = self._placing.state, self._placing.now
        at_least = self._at_least
        if 2 * job.nodes < at_least or job.capacity_class is not CapacityClass.ON_DEMAND:
            return None
        self._placing.take_pending()
        if not state.calendar.promises:
            return None
        place, waiting = _place_of(state, job), map(state.jobs.__getitem__, state.calendar.promises)
        before = [one.job for one in waiting if one.nodes >= at_least and one.job in state.queue and _place_of(state, one) < place]
        if not before or not self._placing.fits(job):
            return None
        ends_by = now + job.length_ms
        for name in before:
            expected = self._expect(name)
            if expected is not None and ends_by > expected[0] and job.nodes > expected[1]:
                return name, expected[0]
        return None

    def _expect(self, name: str) -> tuple[int, int] | None:
        """Return when a promised gang is expected to start, and how many tasks more would fit then; None where nobody can say."""
        placing = self._placing
        if self._starts != len(placing.starts):
            self._starts = len(placing.starts)
            self._expected.clear()
        if name not in self._expected:
            state, gang = placing.state, placing.state.jobs[name]
            placing.take_pending()
            asked = Gang(gang.shapes, gang.nodes, gang.length_ms, gang.where)
            without_promises = state.calendar.without(state.calendar.promises)
            found = Sweep(state.fleet, without_promises, asked, gang.shapes[0]).find(self._releases(), placing.now)
            self._expected[name] = (found[0], found[1].count - gang.nodes) if found is not None else None
        return self._expected[name]

    def _releases(self) -> Iterator[Release]:
        """Return in their order when whatever is held, and what the plan starts, is expected to be free."""
        placing = self._placing
        state, now = placing.state, placing.now
        started = []
        for start in placing.starts.values():
            job = state.jobs[start.job]
            started.append((now + min(job.length_ms, job.predicted_ms or job.length_ms), start.shares))
        started.sort(key=_instant)
        held = _shares(state.releases.expected(now))
        return merge(held, started, key=_instant) if started else held


def _shares(ends: Iterator[tuple[int, ActiveJob]]) -> Iterator[Release]:
    for at_ms, job in ends:
        yield at_ms, job.shares


def _instant(release: Release) -> int:
    return release[0]


def _place_of(state: SchedulerState, job: ActiveJob) -> tuple[int, int, int]:
    """Return where a gang stands among gangs: as in the queue, but for fair share, which changes while nothing happens to them."""
    return job.key()[1], served_as_of(state.policy, job.submitted_ms, job.predicted_ms or job.length_ms), job.seq
