"""The plan hash: one number for everything that was decided, whatever ids and clocks a run had (decision 0014, point 9)."""

from collections.abc import Iterable
from hashlib import sha256

from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded, AttemptPlanned, JobEnded, JobStopping, JobSubmitted

ENDED = "ended"


class PlanHash:
    """SHA-256 over starts with named nodes, and stops, in the order of their events; jobs count by their submission."""

    __slots__ = ("_hash", "_numbers", "_submitted")

    def __init__(self) -> None:
        self._hash = sha256()
        self._numbers: dict[str, int] = {}
        self._submitted = 0

    def take(self, bodies: Iterable[Body]) -> None:
        """Add the decisions among the events of a batch."""
        numbers = self._numbers
        for body in bodies:
            kind = type(body)
            if kind is AttemptPlanned:
                tasks = body.tasks  # type: ignore[attr-defined]
                nodes = " ".join([task[1] for task in tasks]) if len(tasks) > 1 else tasks[0][1]
                self._hash.update(f"start {numbers[body.job]} {nodes}\n".encode())  # type: ignore[attr-defined]
            elif kind is JobSubmitted:
                numbers[body.job] = self._submitted  # type: ignore[attr-defined]
                self._submitted += 1
            elif kind is JobStopping:
                self._hash.update(f"stop {numbers[body.job]} {body.cause}\n".encode())  # type: ignore[attr-defined]
            elif (kind is AttemptEnded and body.next == ENDED) or kind is JobEnded:  # type: ignore[attr-defined]
                numbers.pop(body.job, None)  # type: ignore[attr-defined]

    def hexdigest(self) -> str:
        """Return the hash of all decisions so far."""
        return self._hash.hexdigest()
