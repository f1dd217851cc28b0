"""The simulated engine: attempts that take the time their script says, on the clock it is given."""

import heapq
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Final

from msgspec.structs import replace

from eisbach.engines.simulated.journal import Journal, NoJournal, SimulatedAttempt
from eisbach.engines.simulated.script import Course, course_of
from eisbach.ports.clock import Clock
from eisbach.ports.engine import (
    Ending,
    GoneNode,
    IsOver,
    LogLine,
    Observation,
    Remains,
    StaleEpoch,
    StartOrder,
    StopOrder,
)

NOTICE: Final = "simulated: nothing was executed"
"""The first line of every log, by the engine itself: nobody shall take a simulated result for a real one."""
NO_COURSE: Final = Course(0, 0)


class SimulatedEngine:
    """Runs attempts on a clock. `advance` makes true whatever is due; live, a thread calls it (live.py).

    `start_ms` is the time between an order and all tasks running. What the journal keeps goes on after a restart: time
    passes for simulated work also while nobody looks.
    """

    isolation = "simulated: nothing is executed"

    def __init__(self, clock: Clock, *, start_ms: int = 0, journal: Journal | None = None) -> None:
        self._clock, self._start_ms = clock, start_ms
        self._journal: Journal = journal if journal is not None else NoJournal()
        self._attempts: dict[str, SimulatedAttempt] = {}
        self._over: set[str] = set()
        """attempts that have expired: they never start again"""
        self._due: list[tuple[int, str]] = []
        self._callbacks: list[Callable[[Observation], None]] = []
        self._epoch = 0
        self._gone: dict[str, int] = {}
        self._lock = RLock()

    def start(self, order: StartOrder) -> None:
        """Begin an attempt; the same id again, or after a stop, changes nothing."""
        with self._lock:
            self._check(order.epoch)
            if order.attempt_id in self._attempts or order.attempt_id in self._over:
                return
            course = self._course(order)
            now = self._clock.now()
            running = now + self._start_ms
            ends, ending, code = running + course.run_ms, Ending.EXITED, course.exit_code
            if course.run_ms > order.limit_ms:
                ends, ending, code = running + order.limit_ms, Ending.TIMED_OUT, 143
            elif code != 0:
                ending = Ending.FAILED
            attempt = SimulatedAttempt(
                job=order.job_id,
                ranks=tuple(task.rank for task in order.tasks),
                course=course,
                running_ms=running,
                ends_ms=ends,
                ending=ending,
                exit_code=code,
                nodes=tuple(dict.fromkeys(task.node_id for task in order.tasks)),
            )
            gone = next((node for node in attempt.nodes if node in self._gone), "") if self._gone else ""
            if gone:
                attempt = replace(attempt, running_ms=running, ends_ms=now, ending=Ending.NODE_LOST, gone=gone)
                running = ends = now
            self._keep(order.attempt_id, attempt)
            heapq.heappush(self._due, (running, order.attempt_id))
            heapq.heappush(self._due, (ends, order.attempt_id))
        self.advance()

    def stop(self, order: StopOrder) -> None:
        """End an attempt when its notice is over: a simulated task saves at once and never needs its grace."""
        with self._lock:
            self._check(order.epoch)
            now = self._clock.now()
            attempt = self._attempts.get(order.attempt_id)
            if order.attempt_id in self._over:
                return
            if attempt is None:
                never = SimulatedAttempt(
                    job="", ranks=(), course=NO_COURSE, running_ms=now, ends_ms=now, ending=Ending.STOPPED,
                    exit_code=143, ended_ms=now,
                )  # fmt: skip
                self._keep(order.attempt_id, never)
                self._tell(order.attempt_id, never)
            elif attempt.ended_ms is None and attempt.ends_ms > now + order.notice_ms:
                self._end_at(now + order.notice_ms, order.attempt_id, attempt, Ending.STOPPED, 143)
        self.advance()

    def lose(self, attempt_id: str, node: str = "") -> None:
        """Make an attempt fail as if it had vanished, or as if this node had died: for tests and the twin's faults."""
        with self._lock:
            attempt = self._attempts[attempt_id]
            ending = Ending.NODE_LOST if node else Ending.LOST
            self._end_now(attempt_id, replace(attempt, gone=node), ending, attempt.exit_code)
        self.advance()

    def lose_node(self, node: str) -> None:
        """Make a node fail: whatever has a task there ends, and nothing starts there until it is back."""
        with self._lock:
            self._gone.setdefault(node, self._clock.now())
            for name, attempt in self._attempts.items():
                if attempt.ended_ms is None and node in attempt.nodes:
                    self._end_now(name, replace(attempt, gone=node), Ending.NODE_LOST, attempt.exit_code)
        self.advance()

    def bring_node_back(self, node: str) -> None:
        """Let a node that failed work again."""
        with self._lock:
            self._gone.pop(node, None)

    def gone_nodes(self) -> Sequence[GoneNode]:
        """Return the nodes that failed and are not back, by name."""
        with self._lock:
            return [GoneNode(node, since_ms, "simulated") for node, since_ms in sorted(self._gone.items())]

    def next_instant(self) -> int | None:
        """Return when something is due, or None."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def advance(self) -> None:
        """Make true and report whatever is due by now."""
        with self._lock:
            due, attempts, now = self._due, self._attempts, self._clock.now()
            while due and due[0][0] <= now:
                at_ms, name = heapq.heappop(due)
                attempt = attempts.get(name)
                if attempt is None or attempt.ended_ms is not None:
                    continue
                if attempt.ends_ms <= at_ms:
                    attempt.ended_ms = attempt.ends_ms
                    self._note_end(name)
                self._tell(name, attempt)

    def observe(self) -> Sequence[Observation]:
        """Return what is known of every attempt that was not forgotten, in order of attempt id."""
        self.advance()
        with self._lock:
            known = sorted(name for name, attempt in self._attempts.items() if not attempt.is_forgotten)
            return [self._observation(name, self._attempts[name]) for name in known]

    def recover(self) -> None:
        """Take over what the journal kept: it went on meanwhile, and what is over by now has ended then."""
        with self._lock:
            self._over.update(self._journal.over())
            for name, attempt in self._journal.attempts():
                if name in self._attempts or name in self._over:
                    continue
                self._attempts[name] = attempt
                if attempt.ended_ms is None:
                    heapq.heappush(self._due, (attempt.running_ms, name))
                    heapq.heappush(self._due, (attempt.ends_ms, name))
        self.advance()

    def subscribe(self, callback: Callable[[Observation], None]) -> None:
        """Call `callback` when an attempt runs or has ended."""
        self._callbacks.append(callback)

    def forget(self, attempt_id: str) -> None:
        """The outcome is stored; the id is remembered so that a late start does nothing."""
        with self._lock:
            attempt = self._attempts.get(attempt_id)
            if attempt is not None and not attempt.is_forgotten:
                self._keep(attempt_id, replace(attempt, is_forgotten=True))

    def close(self) -> None:
        """Stop reporting."""
        self._callbacks.clear()

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        """Return the notice and the lines a task would have printed by now; each task of the gang prints the same."""
        with self._lock:
            attempt = self._attempts.get(attempt_id)
            if attempt is None or not attempt.ranks:
                return [], offset
            until = attempt.ended_ms if attempt.ended_ms is not None else self._clock.now()
            said = [(0, NOTICE, attempt.ranks[0], "notice")]
            said += [(at_ms, text, rank, "stdout") for at_ms, text in attempt.course.lines for rank in attempt.ranks]
            lines = [
                LogLine(number, attempt.running_ms + at_ms, rank, stream, text)
                for number, (at_ms, text, rank, stream) in enumerate(said)
                if attempt.running_ms + at_ms <= until
            ]
        page = lines[offset : offset + lines_max]
        return page, offset + len(page)

    def expire(self, kind: Remains, is_over: IsOver) -> int:
        """Forget attempts whose job is over but for their ids, and so their lines, which is all that there is of them."""
        if kind is not Remains.LOGS:
            return 0
        with self._lock:
            kept = [(name, one) for name, one in self._attempts.items() if one.is_forgotten]
        over = [(name, one) for name, one in kept if is_over(one.job, one.ends_ms)]
        if over:
            with self._lock:
                names = [name for name, _ in over]
                self._over.update(names)
                self._journal.drop(names)
                for name in names:
                    del self._attempts[name]
        return sum(1 for _, one in over if one.course.lines)

    def _course(self, order: StartOrder) -> Course:
        """Return what an attempt is going to do."""
        return course_of("\n".join(part for part in (order.setup, order.run) if part))

    def _keep(self, attempt_id: str, attempt: SimulatedAttempt) -> None:
        self._journal.keep(attempt_id, attempt)
        self._attempts[attempt_id] = attempt

    def _note_end(self, name: str) -> None:
        """An attempt has come to its end: for engines that keep something apart of those that go on."""

    def _end_now(self, attempt_id: str, attempt: SimulatedAttempt, ending: Ending, exit_code: int) -> None:
        self._end_at(self._clock.now(), attempt_id, attempt, ending, exit_code)

    def _end_at(self, at_ms: int, attempt_id: str, attempt: SimulatedAttempt, ending: Ending, exit_code: int) -> None:
        self._keep(attempt_id, replace(attempt, ends_ms=at_ms, ending=ending, exit_code=exit_code))
        heapq.heappush(self._due, (at_ms, attempt_id))

    def _check(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise StaleEpoch(f"the newest leader has epoch {self._epoch}, this order has {epoch}")
        self._epoch = epoch

    def _tell(self, name: str, attempt: SimulatedAttempt) -> None:
        seen = self._observation(name, attempt)
        for callback in self._callbacks:
            callback(seen)

    def _observation(self, name: str, attempt: SimulatedAttempt) -> Observation:
        running_ms, ended_ms, gone = attempt.running_ms, attempt.ended_ms, attempt.gone
        if ended_ms is None:
            now = self._clock.now()
            if not attempt.ranks or running_ms > now:
                return Observation(attempt_id=name, running_since_ms=None, held_ms=0)
            return Observation(attempt_id=name, running_since_ms=running_ms, held_ms=now - running_ms)
        has_run = bool(attempt.ranks) and ended_ms >= running_ms
        return Observation(
            attempt_id=name,
            running_since_ms=running_ms if has_run else None,
            held_ms=ended_ms - running_ms if has_run else 0,
            ending=attempt.ending,
            ended_at_ms=ended_ms,
            exit_code=attempt.exit_code if not gone else None,
            rank=0 if attempt.exit_code and not gone else None,
            node=gone,
            detail="simulated",
        )
