"""The simulated engine beside real ones: on the machine's clock, and with a journal that outlives the server."""

import threading
from pathlib import Path
from typing import Final

from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.engines.simulated.journal import JournalFolder
from eisbach.ports.clock import Clock
from eisbach.ports.engine import StartOrder, StopOrder

LOOK_S: Final = 30.0
"""It looks at the clock at least this often while something is due: a wall clock that was set wakes nobody."""


class LiveSimulatedEngine(SimulatedEngine):
    """Waits on a thread of its own for whatever is due next; `recover` starts it, `close` ends it."""

    def __init__(self, clock: Clock, folder: Path, *, start_ms: int = 0) -> None:
        super().__init__(clock, start_ms=start_ms, journal=JournalFolder(folder))
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
        super().recover()
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
