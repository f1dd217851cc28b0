"""The books of promised starts, kept from the events alone: none moves later, none is forgotten, each is kept or broken for a cause."""

from collections.abc import Iterator
from dataclasses import dataclass

from eisbach.app.events import AttemptPlanned, Body, JobEnded, ReservationMoved
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.core.scheduling.promise import TOLERANCE_MS, BreakCause


@dataclass(frozen=True, slots=True)
class Promised:
    """A promise as its event says it."""

    from_ms: int
    until_ms: int
    nodes: tuple[str, ...]
    is_shared: bool


class PromiseBooks:
    """Open promises by job; `given` and `broken` count the promises of all times, `causes` why they were broken."""

    def __init__(self) -> None:
        self.open: dict[str, Promised] = {}
        self.given = 0
        self.kept = 0
        self.broken = 0
        self.causes: set[str] = set()

    def take(self, at_ms: int, body: Body) -> Iterator[str]:
        """Take an event; yield what it breaks (8)."""
        if isinstance(body, StartPromised):
            yield from self._promised(at_ms, body)
        elif isinstance(body, StartUnpromised):
            if self.open.pop(body.job, None) is None:
                yield f"8: a promise to {body.job} is broken that nobody gave"
            self.broken += 1
            self.causes.add(BreakCause(body.cause).value)
        elif isinstance(body, AttemptPlanned):
            promise = self.open.pop(body.job, None)
            if promise is not None:
                self.kept += 1
                if at_ms > promise.from_ms + TOLERANCE_MS:
                    yield f"8: {body.job} starts {at_ms - promise.from_ms} ms after its promise"
        elif isinstance(body, JobEnded) or (isinstance(body, ReservationMoved) and not body.funded):
            self.open.pop(body.job, None)  # the tenant's own act: it was cancelled, or the budget does not carry it any more

    def overdue(self, now: int) -> Iterator[str]:
        """Yield the promises whose instant has passed while the job waits; the world is at rest."""
        for job, promise in self.open.items():
            if promise.from_ms + TOLERANCE_MS < now:
                yield f"8: {job} waits {now - promise.from_ms} ms after its promise, and nobody says why"

    def _promised(self, at_ms: int, body: StartPromised) -> Iterator[str]:
        before = self.open.get(body.job)
        self.given += before is None
        if before is not None and body.from_ms > before.from_ms:
            yield f"8: the promise to {body.job} moves {body.from_ms - before.from_ms} ms later"
        if body.from_ms < at_ms or body.until_ms <= body.from_ms or not body.nodes:
            yield f"8: {body.job} is promised what cannot be: {body.from_ms} to {body.until_ms} at {at_ms}"
        promise = Promised(body.from_ms, body.until_ms, tuple(body.nodes), body.is_shared)
        for other, met in self.open.items():
            is_at_once = promise.from_ms < met.until_ms and met.from_ms < promise.until_ms
            if other != body.job and is_at_once and not (promise.is_shared and met.is_shared):
                common = set(promise.nodes) & set(met.nodes)
                if common:
                    yield f"8: {body.job} and {other} are promised {sorted(common)} for the same time"
        self.open[body.job] = promise
