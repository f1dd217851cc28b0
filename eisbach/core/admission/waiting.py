"""What becomes of a job that cannot start now: it takes from spot, keeps power, gets a promise, or just waits."""

from typing import Final

from eisbach.core.admission.placing import NOT_AT_ALL, Placing
from eisbach.core.admission.promising import Promising
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.order import Request
from eisbach.core.scheduling.policy import Backfill

MANY: Final = 500
"""Jobs that wait, from which on it pays to know beforehand which requests cannot fit."""

class Waiting:
    """The jobs of one cycle that have to wait, as they are met in the order of the queue.

    `longest` says of requests that were met how long a job may be that is still worth a look, `closed` are those of which none is.
    """

    __slots__ = (
        "_are_counted", "_heads", "_is_settled", "_lets_pass", "_may_precede", "_placing", "_promised_nodes", "_promises", "_promising", "_state",
        "closed", "longest",
    )  # fmt: skip

    def __init__(self, placing: Placing, promising: Promising, *, known: tuple[str, ...] | None = None) -> None:
        state = placing.state
        self._placing, self._promising, self._state = placing, promising, state
        self.longest: dict[Request, int] = {}
        self.closed: set[Request] = set()
        self._is_settled, self._may_precede = known is not None, state.seen.is_whole
        self._promises = state.calendar.promises
        self._lets_pass = state.policy.backfill is not Backfill.NONE
        self._promised_nodes = state.policy.promised_nodes
        self._are_counted = self._lets_pass and not (self._is_settled or self._may_precede or placing.preemptions_left or state.power_caps)
        self._heads: dict[CapacityClass, str] = {state.jobs[name].capacity_class: name for name in known} if known else {}

    def close_what_cannot_fit(self) -> None:
        """Where very many wait, do not even look at jobs for which too little is free and that no promise is left for.

        What fits on some nodes fits on fewer of them: of requests that differ in nothing else only the smallest are tried.
        """
        queue, placing = self._state.queue, self._placing
        if len(queue.members) < MANY or not self._lets_pass or placing.preemptions_left:
            return
        full = self._promising.full_pools()
        if full is None:
            return
        closed: set[tuple[object, ...]] = set()
        for request in sorted(queue.requests(), key=lambda one: one.nodes):
            alike = (request.shapes, request.where, request.within)
            if request.booking or self._promising.is_one_left(request, full):
                continue
            if alike in closed or not placing.fits_until(request, 0):
                closed.add(alike)
                self._note(request, NOT_AT_ALL)

    def heads(self) -> tuple[str, ...]:
        """Return the first of each class that had to wait, the class with the most rights first."""
        if len(self._heads) < 2:
            return tuple(self._heads.values())
        return tuple(self._heads[one] for one in CapacityClass if one in self._heads)

    def may_pass(self, job: ActiveJob) -> bool:
        """Return whether a job may start if it fits: some policies let nothing pass the first that waits."""
        if self._lets_pass or not self._heads:
            return True
        queue, ranks = self._state.queue, self._state.fair_share
        return not any(queue.precedes(head, job.job, ranks) for head in self._heads.values())

    def is_passed_over(self, job: ActiveJob, request: Request) -> bool:
        """Return whether a count tells that a job has to wait, and nothing else is to be decided for it; that is noted for all that ask the same.

        It is one that `stays` would do nothing else for: neither the first of its class nor so large that it is promised a start for that,
        nobody could give way to it, and no power is kept.
        """
        if not self._are_counted or 0 < self._promised_nodes <= job.nodes or job.capacity_class not in self._heads:
            return False
        if job.capacity_class is CapacityClass.SPOT or job.booking:
            return False
        shorter = self._placing.falls_short(request, job.length_ms)
        if shorter is None:
            return False
        self._note(request, shorter)
        return True

    def stays(self, job: ActiveJob, request: Request, beside_ms: int | None = None) -> bool:
        """Note that a job has to wait; return whether what stands behind it may be looked at.

        It may be one that fits and leaves a promised gang its expected start: others that ask the same pass if they last `beside_ms` at most.
        """
        placing, promising, known = self._placing, self._promising, self._heads.get(job.capacity_class)
        is_head = (known is None or self._may_precede or known == job.job) and self._is_head(job, known)
        if not self._lets_pass:
            return not self._heads  # who waits for drained nodes keeps nobody from starting
        if job.job in self._promises:
            if placing.preemptions_left:
                promising.wait(job)
            return True
        if placing.preemptions_left:
            placing.preempt_for(job)
        if self._state.power_caps and placing.keep_power_for(job):
            self._note(request, NOT_AT_ALL)
        elif not (promising.may_have(job, is_head=is_head) and promising.give(job, request)) and not self._is_settled:
            self._note(request, placing.longest(job) if beside_ms is None else beside_ms)
        return True

    def _note(self, request: Request, longest: int) -> None:
        self.longest[request] = longest
        if longest == NOT_AT_ALL:
            self.closed.add(request)

    def _is_head(self, job: ActiveJob, known: str | None) -> bool:
        """Note a job as the head of its class, in the place of the one that is known, where it is; return whether it is."""
        if known is not None and known != job.job:
            queue = self._state.queue
            if known not in queue.members or not queue.precedes(job.job, known, self._state.fair_share):
                return False
        could = self._state.fleet.could_without_drained
        for shape in job.shapes:
            if could(shape, job.nodes, job.where, within=job.within):
                self._heads[job.capacity_class] = job.job
                return True
        return False
