"""When whatever holds shares lets go of them: at the latest, and as is expected. Both orders are kept as attempts come and go."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge
from typing import Final

from eisbach.core.admission.active_job import ActiveJob

_MANY: Final = 8
"""Where at least one of so many has changed, the orders are sorted again."""

Due = tuple[int, str, ActiveJob]
"""An instant, an attempt, and its job."""


class Releases:
    """All attempts that hold shares. Their orders are brought up to date when somebody asks: most come and go meanwhile."""

    __slots__ = ("_behind", "_by_limit", "_by_prediction", "_held")

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, int, ActiveJob]] = {}
        """attempt -> when it lets go at the latest, when that is expected, and its job"""
        self._by_limit: list[Due] = []
        self._by_prediction: list[Due] = []
        self._behind: dict[str, tuple[int, int, ActiveJob] | None] = {}
        """attempts that changed since -> how they are in both orders, None for one that is in neither"""

    def note(self, attempt: str, job: ActiveJob) -> bool:
        """Note when an attempt lets go of its shares; return whether it was noted before and is later now."""
        limit_ms, held = job.releases_ms(), self._held.get(attempt)
        predicted_ms = limit_ms
        if job.predicted_ms:
            expected_ms = (job.running_ms if job.running_ms is not None else job.planned_ms) + job.predicted_ms
            if expected_ms < limit_ms:
                predicted_ms = expected_ms
        if held is not None and held[0] == limit_ms and held[1] == predicted_ms:
            return False
        self._behind.setdefault(attempt, held)
        self._held[attempt] = limit_ms, predicted_ms, job
        return held is not None and (limit_ms > held[0] or predicted_ms > held[1])

    def forget(self, attempt: str) -> None:
        """An attempt holds nothing any more."""
        if self._behind.setdefault(attempt, self._held.pop(attempt)) is None:
            del self._behind[attempt]

    @property
    def by_limit(self) -> list[Due]:
        """Return all in the order in which they let go at the latest, not to be changed."""
        self._catch_up()
        return self._by_limit

    def _catch_up(self) -> None:
        behind, held_by = self._behind, self._held
        if _MANY * len(behind) > len(held_by):  # sorting what is nearly in order costs less than to look up so many places
            changed = [(held, attempt) for attempt in behind if (held := held_by.get(attempt)) is not None]
            self._by_limit = [due for due in self._by_limit if due[1] not in behind]
            self._by_prediction = [due for due in self._by_prediction if due[1] not in behind]
            self._by_limit += [(held[0], attempt, held[2]) for held, attempt in changed]
            self._by_prediction += [(held[1], attempt, held[2]) for held, attempt in changed]
            self._by_limit.sort()
            self._by_prediction.sort()
            behind.clear()
            return
        for attempt, were in behind.items():
            if were is not None:
                del self._by_limit[bisect_left(self._by_limit, (were[0], attempt))]
                del self._by_prediction[bisect_left(self._by_prediction, (were[1], attempt))]
            held = held_by.get(attempt)
            if held is not None:
                insort(self._by_limit, (held[0], attempt, held[2]))
                insort(self._by_prediction, (held[1], attempt, held[2]))
        behind.clear()

    def as_predicted(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield in their order those that are expected to end after an instant, with when they are."""
        first, coming = self._first_after(now), self._by_prediction
        for at in range(first, len(coming)):
            predicted_ms, _, job = coming[at]
            yield predicted_ms, job

    def outrun(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield those that were expected to be over by an instant, with their limits and in the order of these."""
        left, held = self._first_after(now), self._held
        for limit_ms, attempt, job in self._by_limit:
            if not left:
                return
            if held[attempt][1] <= now:
                left -= 1
                yield limit_ms, job

    def expected(self, now: int) -> Iterator[tuple[int, ActiveJob]]:
        """Yield all with when they are expected to let go, in that order: as predicted, and what has outrun that at its limit."""
        coming = self.as_predicted(now)
        return merge(self.outrun(now), coming, key=_instant) if self._first_after(now) else coming

    def next_outrun(self, now: int) -> int | None:
        """Return when the next one outlasts its prediction, or None."""
        at = self._first_after(now)
        return self._by_prediction[at][0] if at < len(self._by_prediction) else None

    def _first_after(self, now: int) -> int:
        self._catch_up()
        return bisect_left(self._by_prediction, (now + 1, ""))


def _instant(end: tuple[int, ActiveJob]) -> int:
    return end[0]
