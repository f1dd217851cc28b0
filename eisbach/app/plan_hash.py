"""The plan hash: one number for everything that was decided, whatever ids and clocks a run had (decision 0014, point 9)."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded, AttemptPlanned, JobEnded, JobStopping, JobSubmitted

ENDED: Final = "ended"


class PlanHash:
    """SHA-256 over starts with named nodes, and stops, in the order of their events; jobs count by their submission.

    Whoever looks at each event anyway calls the method of its kind; `take` does so for all others.
    """

    __slots__ = ("_hash", "_numbers", "_submitted", "_take")

    def __init__(self) -> None:
        self._hash = sha256()
        self._numbers: dict[str, int] = {}
        self._submitted = 0
        self._take: Mapping[type[Body], Callable[[Any], None]] = {
            JobSubmitted: self.submitted,
            AttemptPlanned: self.planned,
            JobStopping: self.stopping,
            AttemptEnded: self.attempt_ended,
            JobEnded: self.over,
        }

    def take(self, bodies: Iterable[Body]) -> None:
        """Add the decisions among the events of a batch."""
        take = self._take
        for body in bodies:
            add = take.get(type(body))
            if add is not None:
                add(body)

    def submitted(self, body: JobSubmitted) -> None:
        """Count a job."""
        self._numbers[body.job] = self._submitted
        self._submitted += 1

    def planned(self, body: AttemptPlanned) -> None:
        """Add a start."""
        tasks = body.tasks
        nodes = " ".join([task[1] for task in tasks]) if len(tasks) > 1 else tasks[0][1]
        self._hash.update(f"start {self._numbers[body.job]} {nodes}\n".encode())

    def stopping(self, body: JobStopping) -> None:
        """Add a stop."""
        self._hash.update(f"stop {self._numbers[body.job]} {body.cause}\n".encode())

    def attempt_ended(self, body: AttemptEnded) -> None:
        """Forget a job that is over with its attempt."""
        if body.next == ENDED:
            self.over(body)

    def over(self, body: AttemptEnded | JobEnded) -> None:
        """Forget a job that is over."""
        self._numbers.pop(body.job, None)

    def hexdigest(self) -> str:
        """Return the hash of all decisions so far."""
        return self._hash.hexdigest()
