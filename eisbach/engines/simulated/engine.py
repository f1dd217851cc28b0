"""The simulated engine: attempts that take the time their script says, on the clock it is given."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

from eisbach.engines.simulated.script import Course, course_of
from eisbach.ports.clock import Clock
from eisbach.ports.engine import Ending, LogLine, Observation, StaleEpoch, StartOrder, StopOrder


@dataclass(slots=True)
class _Attempt:
    """What the engine knows of an attempt; `order` is None for one that was stopped before it was started."""

    order: StartOrder | None
    course: Course
    running_ms: int
    ends_ms: int
    ending: Ending
    exit_code: int
    ended_ms: int | None = None
    is_forgotten: bool = False


class SimulatedEngine:
    """Runs attempts on a clock. `advance` makes true whatever is due; live, a round calls it.

    `start_ms` is the time between an order and all tasks running.
    """

    isolation = "simulated: nothing is executed"

    def __init__(self, clock: Clock, *, start_ms: int = 0) -> None:
        self._clock, self._start_ms = clock, start_ms
        self._attempts: dict[str, _Attempt] = {}
        self._due: list[tuple[int, str]] = []
        self._callbacks: list[Callable[[Observation], None]] = []
        self._epoch = 0
        self._lock = RLock()

    def start(self, order: StartOrder) -> None:
        """Begin an attempt; the same id again, or after a stop, changes nothing."""
        with self._lock:
            self._check(order.epoch)
            if order.attempt_id in self._attempts:
                return
            course = course_of("\n".join(part for part in (order.setup, order.run) if part))
            running = self._clock.now() + self._start_ms
            ends, ending, code = running + course.run_ms, Ending.EXITED, course.exit_code
            if course.run_ms > order.limit_ms:
                ends, ending, code = running + order.limit_ms, Ending.TIMED_OUT, 143
            elif code != 0:
                ending = Ending.FAILED
            self._attempts[order.attempt_id] = _Attempt(order, course, running, ends, ending, code)
            heapq.heappush(self._due, (running, order.attempt_id))
            heapq.heappush(self._due, (ends, order.attempt_id))
        self.advance()

    def stop(self, order: StopOrder) -> None:
        """End an attempt now: a simulated task saves at once and never needs its grace."""
        with self._lock:
            self._check(order.epoch)
            now = self._clock.now()
            attempt = self._attempts.get(order.attempt_id)
            if attempt is None:
                stopped = _Attempt(None, Course(0, 0), now, now, Ending.STOPPED, 143, ended_ms=now)
                self._attempts[order.attempt_id] = stopped
                self._tell(order.attempt_id)
            elif attempt.ended_ms is None and attempt.ends_ms > now:
                attempt.ends_ms, attempt.ending, attempt.exit_code = now, Ending.STOPPED, 143
                heapq.heappush(self._due, (now, order.attempt_id))
        self.advance()

    def lose(self, attempt_id: str) -> None:
        """Make an attempt fail as if its node had died: for tests and the twin's faults."""
        with self._lock:
            attempt = self._attempts[attempt_id]
            attempt.ends_ms, attempt.ending = self._clock.now(), Ending.LOST
            heapq.heappush(self._due, (attempt.ends_ms, attempt_id))
        self.advance()

    def next_instant(self) -> int | None:
        """Return when something is due, or None."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def advance(self) -> None:
        """Make true and report whatever is due by now."""
        with self._lock:
            now = self._clock.now()
            while self._due and self._due[0][0] <= now:
                at_ms, name = heapq.heappop(self._due)
                attempt = self._attempts[name]
                if attempt.ended_ms is not None:
                    continue
                if attempt.ends_ms <= at_ms:
                    attempt.ended_ms = attempt.ends_ms
                self._tell(name)

    def observe(self) -> Sequence[Observation]:
        """Return what is known of every attempt that was not forgotten, in order of attempt id."""
        self.advance()
        with self._lock:
            known = sorted(name for name, attempt in self._attempts.items() if not attempt.is_forgotten)
            return [self._observation(name) for name in known]

    def recover(self) -> None:
        """There is nothing to take over: what it knows lives in memory."""

    def subscribe(self, callback: Callable[[Observation], None]) -> None:
        """Call `callback` when an attempt runs or has ended."""
        self._callbacks.append(callback)

    def forget(self, attempt_id: str) -> None:
        """The outcome is stored; the id is remembered so that a late start does nothing."""
        with self._lock:
            if attempt_id in self._attempts:
                self._attempts[attempt_id].is_forgotten = True

    def close(self) -> None:
        """Stop reporting."""
        self._callbacks.clear()

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        """Return the lines a task would have printed by now; each task of the gang prints the same."""
        with self._lock:
            attempt = self._attempts.get(attempt_id)
            if attempt is None or attempt.order is None:
                return [], offset
            until = attempt.ended_ms if attempt.ended_ms is not None else self._clock.now()
            lines = [
                LogLine(number, attempt.running_ms + at_ms, task.rank, "stdout", text)
                for number, (at_ms, text, task) in enumerate(
                    (at_ms, text, task) for at_ms, text in attempt.course.lines for task in attempt.order.tasks
                )
                if attempt.running_ms + at_ms <= until
            ]
        page = lines[offset : offset + lines_max]
        return page, offset + len(page)

    def _check(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise StaleEpoch(f"the newest leader has epoch {self._epoch}, this order has {epoch}")
        self._epoch = epoch

    def _tell(self, name: str) -> None:
        seen = self._observation(name)
        for callback in self._callbacks:
            callback(seen)

    def _observation(self, name: str) -> Observation:
        attempt, now = self._attempts[name], self._clock.now()
        runs = attempt.order is not None and attempt.running_ms <= now
        if attempt.ended_ms is None:
            held = max(0, now - attempt.running_ms) if runs else 0
            return Observation(
                attempt_id=name, running_since_ms=attempt.running_ms if runs else None, held_ms=held
            )
        has_run = attempt.order is not None and attempt.ended_ms >= attempt.running_ms
        return Observation(
            attempt_id=name,
            running_since_ms=attempt.running_ms if has_run else None,
            held_ms=attempt.ended_ms - attempt.running_ms if has_run else 0,
            ending=attempt.ending,
            ended_at_ms=attempt.ended_ms,
            exit_code=attempt.exit_code,
            rank=0 if attempt.exit_code else None,
            detail="simulated",
        )
