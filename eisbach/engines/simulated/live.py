"""The simulated engine beside real ones: on the machine's clock, and with a journal that outlives the server."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.engines.simulated.journal import JournalFolder, SimulatedAttempt
from eisbach.engines.simulated.script import Course, rest_of
from eisbach.ports.clock import Clock
from eisbach.ports.engine import Ending, IsOver, Remains, StartOrder, StopOrder

_ENDED_BY_OTHERS: Final = frozenset({Ending.STOPPED, Ending.LOST, Ending.NODE_LOST})
LOOK_S: Final = 30.0
"""It looks at the clock at least this often while something is due: a wall clock that was set wakes nobody."""


class LiveSimulatedEngine(SimulatedEngine):
    """Waits on a thread of its own for whatever is due next; `recover` starts it, `close` ends it."""

    def __init__(self, clock: Clock, folder: Path, *, start_ms: int = 0, checkpoint_every_ms: int = 0) -> None:
        """Jobs save each `checkpoint_every_ms` of an attempt (0: never) and when they are asked to stop, as in the twin (courses.py)."""
        super().__init__(clock, start_ms=start_ms, journal=JournalFolder(folder))
        self._every_ms = checkpoint_every_ms
        self._rests: dict[str, Course] = {}
        """job -> what is left of it, for those of which an attempt was ended before it was through"""
        self._has_changed = threading.Condition()
        self._is_new = False
        self._is_closed = False
        self._follower = threading.Thread(target=self._follow, name="simulated-engine", daemon=True)

    def start(self, order: StartOrder) -> None:
        """Begin an attempt and have the thread wait for what is due now."""
        super().start(order)
        self._wake()

    def stop(self, order: StopOrder) -> None:
        """End an attempt and have the thread wait for what is due now."""
        super().stop(order)
        self._wake()

    def recover(self) -> None:
        """Take over what the journal kept, and go on from there as time passes."""
        with self._lock:
            super().recover()
            for _, attempt in sorted(self._attempts.items()):
                self._note_rest(attempt, attempt.ends_ms, attempt.ending)
        if self._follower.ident is None:
            self._follower.start()
        self._wake()

    def close(self) -> None:
        """Let go: what runs goes on with the next process that opens the journal."""
        with self._has_changed:
            self._is_closed = True
            self._has_changed.notify()
        if self._follower.ident is not None:
            self._follower.join()
        super().close()

    def saved_at(self, running: Mapping[str, str]) -> dict[str, int]:
        """Return when running attempts last saved (ports/engine.CanCheckpoint)."""
        every_ms, found = self._every_ms, dict[str, int]()
        with self._lock:
            now = self._clock.now()
            for name in running:
                attempt = self._attempts.get(name)
                ran_ms = now - attempt.running_ms if attempt is not None and attempt.ends_ms > now else 0
                if 0 < every_ms <= ran_ms:
                    found[name] = now - ran_ms % every_ms
        return found

    def expire(self, kind: Remains, is_over: IsOver) -> int:
        """Forget attempts whose job is over, and what was left of that job."""
        count = super().expire(kind, is_over)
        with self._lock:
            jobs = {attempt.job for attempt in self._attempts.values()}
            self._rests = {job: rest for job, rest in self._rests.items() if job in jobs}
        return count

    def _course(self, order: StartOrder) -> Course:
        return self._rests.get(order.job_id) or super()._course(order)

    def _end_at(self, at_ms: int, attempt_id: str, attempt: SimulatedAttempt, ending: Ending, exit_code: int) -> None:
        self._note_rest(attempt, at_ms, ending)
        super()._end_at(at_ms, attempt_id, attempt, ending, exit_code)

    def _note_rest(self, attempt: SimulatedAttempt, at_ms: int, ending: Ending) -> None:
        """An attempt is ended by others: what is left of its job is noted."""
        if self._every_ms and attempt.ranks and ending in _ENDED_BY_OTHERS:
            self._rests[attempt.job] = rest_of(attempt.course, at_ms - attempt.running_ms, ending, self._every_ms)

    def _wake(self) -> None:
        with self._has_changed:
            self._is_new = True
            self._has_changed.notify()

    def _follow(self) -> None:
        while True:
            with self._has_changed:
                if not self._is_new and not self._is_closed:  # closed while it advanced: nobody would wake it again
                    self._has_changed.wait(self._wait_s())
                self._is_new = False
                if self._is_closed:
                    return
            self.advance()

    def _wait_s(self) -> float | None:
        """Return how long to wait: until something is due; None where nothing is."""
        due = self.next_instant()
        return None if due is None else min(LOOK_S, max(0, due - self._clock.now()) / 1000)
