"""When whatever holds shares lets go of them: at the latest, and as is expected. Both orders are kept as attempts come and go."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge

from eisbach.core.admission.active_job import ActiveJob

Due = tuple[int, str, ActiveJob]
"""An instant, an attempt, and its job."""


class Releases:
    """All attempts that hold shares. `by_limit` are they in the order in which they let go at the latest."""

    __slots__ = ("_by_prediction", "_known", "by_limit")

    def __init__(self) -> None:
        self.by_limit: list[Due] = []
        self._by_prediction: list[Due] = []
        self._known: dict[str, tuple[int, int]] = {}
        """attempt -> its instants in both orders"""

    def note(self, attempt: str, job: ActiveJob) -> bool:
        """Note when an attempt lets go of its shares; return whether it was noted before and is later now."""
        limit_ms, known = job.releases_ms(), self._known.get(attempt)
        predicted_ms = limit_ms
        if job.predicted_ms:
            since = job.running_ms if job.running_ms is not None else job.planned_ms
            predicted_ms = min(limit_ms, since + job.predicted_ms)
        if known is not None:
            if known == (limit_ms, predicted_ms):
                return False
            self.forget(attempt)
        self._known[attempt] = limit_ms, predicted_ms
        insort(self.by_limit, (limit_ms, attempt, job))
        insort(self._by_prediction, (predicted_ms, attempt, job))
        return known is not None and (limit_ms > known[0] or predicted_ms > known[1])

    def forget(self, attempt: str) -> None:
        """An attempt holds nothing any more."""
        limit_ms, predicted_ms = self._known.pop(attempt)
        del self.by_limit[bisect_left(self.by_limit, (limit_ms, attempt))]
        del self._by_prediction[bisect_left(self._by_prediction, (predicted_ms, attempt))]

    def as_predicted(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield in their order those that are expected to end after an instant, with when they are."""
        coming = self._by_prediction
        for at in range(self._first_after(now), len(coming)):
            predicted_ms, _, job = coming[at]
            yield predicted_ms, job

    def outrun(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield those that were expected to be over by an instant, with their limits and in the order of these."""
        left, known = self._first_after(now), self._known
        for limit_ms, attempt, job in self.by_limit:
            if not left:
                return
            if known[attempt][1] <= now:
                left -= 1
                yield limit_ms, job

    def expected(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield all with when they are expected to let go, in that order: as predicted, and what has outrun that at its limit."""
        return merge(self.outrun(now), self.as_predicted(now), key=_instant)

    def next_outrun(self, now: int) -> int | None:
        """Return when the next one outlasts its prediction, or None."""
        at = self._first_after(now)
        return self._by_prediction[at][0] if at < len(self._by_prediction) else None

    def _first_after(self, now: int) -> int:
        return bisect_left(self._by_prediction, (now + 1, ""))


def _instant(end: tuple[int, ActiveJob]) -> int:
    return end[0]
