"""A simulated engine with the faults of a real one: no answer now and then, reports that get lost, tasks that need their grace."""

import heapq
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Final

from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.engines.simulated.engine import NO_COURSE, SimulatedEngine
from eisbach.engines.simulated.journal import SimulatedAttempt
from eisbach.ports.clock import Clock
from eisbach.ports.engine import Ending, EngineUnavailable, StartOrder, StopOrder

SAVES_EACH: Final = 0.5
"""The chance that an engine knows of a checkpoint when it is asked."""
REFUSED_EACH: Final = 0.02
"""The chance that an engine finds something wrong with an attempt that nobody saw before."""


class FrailEngine(SimulatedEngine):
    """`trouble` is the chance that an order or a report is lost. `began` counts how often each attempt's tasks were begun."""

    def __init__(self, clock: Clock, *, start_ms: int = 0, chance: Random | None = None, trouble: float = 0.0) -> None:
        super().__init__(clock, start_ms=start_ms)
        self.chance, self.trouble = chance if chance is not None else Random(0), trouble
        self.began: Counter[str] = Counter()

    def start(self, order: StartOrder) -> None:
        """Begin an attempt, unless the engine cannot be reached; now and then it refuses one for good, before anything runs."""
        self._or_no_answer()
        if order.attempt_id not in self._attempts and order.epoch >= self._epoch:
            if self.chance.random() < REFUSED_EACH:
                self._refuse(order)
                return
            self.began[order.attempt_id] += 1
        super().start(order)

    def _refuse(self, order: StartOrder) -> None:
        now = self._clock.now()
        refused = SimulatedAttempt(
            job=order.job_id, ranks=(), course=NO_COURSE, running_ms=now, ends_ms=now, ending=Ending.REFUSED, exit_code=1,
            ended_ms=now,
        )  # fmt: skip
        self._keep(order.attempt_id, refused)
        self._tell(order.attempt_id, refused)

    def stop(self, order: StopOrder) -> None:
        """Ask an attempt to stop; it may take its grace."""
        self._or_no_answer()
        attempt = self._attempts.get(order.attempt_id)
        if attempt is None or attempt.ended_ms is not None or self.chance.random() < 0.5:
            super().stop(order)
            return
        self._check(order.epoch)
        attempt.ends_ms = min(attempt.ends_ms, self._clock.now() + order.notice_ms + order.grace_ms)
        attempt.ending, attempt.exit_code = Ending.STOPPED, 143
        heapq.heappush(self._due, (attempt.ends_ms, order.attempt_id))

    def going(self) -> set[str]:
        """Return the attempts that run or will, as this engine knows it."""
        return {name for name, attempt in self._attempts.items() if attempt.ended_ms is None and attempt.ranks}

    def saved_at(self, running: Mapping[str, str]) -> dict[str, int]:
        """Return when some of the running attempts last saved (ports/engine.CanCheckpoint): some never did, one may say so of an instant before it ran."""
        self._or_no_answer()
        now, found = self._clock.now(), {}
        for name in sorted(running):
            if self.chance.random() < SAVES_EACH:
                found[name] = now - self.chance.choice([0, MINUTE_MS, HOUR_MS, DAY_MS])
        return found

    def _or_no_answer(self) -> None:
        if self.chance.random() < self.trouble:
            raise EngineUnavailable("no answer")

    def _tell(self, name: str, attempt: SimulatedAttempt) -> None:
        if self.chance.random() >= self.trouble:
            super()._tell(name, attempt)
