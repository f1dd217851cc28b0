"""A simulated engine that is told what each job does, so that nobody has to read a task file for that."""

import heapq
from collections.abc import Mapping, MutableMapping
from typing import Final

from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.engines.simulated.journal import SimulatedAttempt
from eisbach.engines.simulated.script import Course, rest_of
from eisbach.ports.clock import Clock
from eisbach.ports.engine import Ending

ALONE: Final = (0,)
"""The ranks of an attempt with one task."""


class CourseEngine(SimulatedEngine):
    """Runs attempts by the courses of their jobs. `courses` maps a job's id to its course, and may grow meanwhile.

    Nothing is ever saved: each attempt begins from the beginning.
    """

    def __init__(self, clock: Clock, courses: MutableMapping[str, Course], *, start_ms: int = 0) -> None:
        super().__init__(clock, start_ms=start_ms)
        self._courses = courses
        self._since: dict[str, int] = {}
        """attempt -> since when its tasks run or will, for what is not over"""

    def begin(self, attempt_id: str, job_id: str, tasks: int, limit_ms: int, epoch: int) -> None:
        """Begin an attempt (ports/engine.KnowsItsWork)."""
        if epoch != self._epoch:
            self._check(epoch)
        if attempt_id in self._attempts:
            return
        course = self._courses[job_id]
        running = self._clock.now() + self._start_ms
        ends, ending, code = running + course.run_ms, Ending.EXITED, course.exit_code
        if course.run_ms > limit_ms:
            ends, ending, code = running + limit_ms, Ending.TIMED_OUT, 143
        elif code != 0:
            ending = Ending.FAILED
        attempt = self._attempts[attempt_id] = SimulatedAttempt(
            job=job_id,
            ranks=ALONE if tasks == 1 else tuple(range(tasks)),
            course=course,
            running_ms=running,
            ends_ms=ends,
            ending=ending,
            exit_code=code,
        )
        self._since[attempt_id] = running
        heapq.heappush(self._due, (ends, attempt_id))
        if self._start_ms:
            heapq.heappush(self._due, (running, attempt_id))
        else:
            self._tell(attempt_id, attempt)

    def next_instant(self) -> int | None:
        """Return when something is due, or None."""
        return self._due[0][0] if self._due else None

    def advance(self) -> None:
        """Make true and report whatever is due by now."""
        if self._due and self._due[0][0] <= self._clock.now():
            super().advance()

    def since_when(self) -> tuple[int, Mapping[str, int]]:
        """Return the instant, and since when what is not over runs (ports/engine.TellsSinceWhen)."""
        return self._clock.now(), self._since

    def forget(self, attempt_id: str) -> None:
        """The outcome is stored and nobody asks for an attempt's lines in a world without any: it is gone."""
        self._attempts.pop(attempt_id, None)
        self._since.pop(attempt_id, None)

    def _note_end(self, name: str) -> None:
        self._since.pop(name, None)


class SavingEngine(CourseEngine):
    """Jobs save each `checkpoint_every_ms` while they run, and once more when they are asked to stop; saving takes no time.

    What ends before its course is over leaves there what remains from the last time on, and the next attempt goes on with that.
    """

    def __init__(
        self, clock: Clock, courses: MutableMapping[str, Course], *, checkpoint_every_ms: int, start_ms: int = 0
    ) -> None:
        super().__init__(clock, courses, start_ms=start_ms)
        self._every_ms = checkpoint_every_ms

    def saves_each_ms(self) -> int:
        """Return how often running work saves (ports/engine.SavesRegularly)."""
        return self._every_ms

    def _end_at(self, at_ms: int, attempt_id: str, attempt: SimulatedAttempt, ending: Ending, exit_code: int) -> None:
        if attempt.job in self._courses and attempt.ended_ms is None:
            # from the course of this attempt: it may be told to end once more, and sooner
            self._courses[attempt.job] = rest_of(attempt.course, at_ms - attempt.running_ms, ending, self._every_ms)
        super()._end_at(at_ms, attempt_id, attempt, ending, exit_code)
