"""Notes when processes of a project's attempts start and end. A program of its own, which knows nothing of the factory.

    python -m story.observer PROJECT FILE     until its standard input ends; says `ready` when it looks

Every 10 ms it looks for new processes in /proc; a start is dated by the kernel, an end by the process's pidfd, which the
kernel makes readable at that moment. FILE gets one line of JSON for each process: pid, attempt, rank, start_ms and
end_ms, in milliseconds since the machine started.
"""

import json
import os
import select
import sys
from typing import IO

from story import process_table
from story.process_table import TaskProcess, now_ms

LOOK_EVERY_MS = 10
YOUNG_MS = 2_000
"""A process is looked at each time for so long: its environment is another one after exec."""
OLD_EVERY_MS = 500


class Observer:
    """Everything seen so far."""

    def __init__(self, project: str, out: IO[str]) -> None:
        self._project = project
        self._out = out
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN | select.POLLHUP)
        self._watched: dict[int, TaskProcess] = {}
        self._others: dict[int, tuple[float, float]] = {}

    def run(self) -> None:
        """Look until nobody wants it any more."""
        self._look()
        print("ready", flush=True)
        while True:
            self._look()
            for fd, _ in self._poll.poll(LOOK_EVERY_MS):
                if fd == 0:
                    return
                self._note_end(fd)

    def _look(self) -> None:
        now = now_ms()
        known = {one.pid for one in self._watched.values()}
        alive = set(process_table.pids())
        for gone in self._others.keys() - alive:
            del self._others[gone]
        for pid in alive - known:
            first_seen, look_at = self._others.get(pid, (now, now))
            if look_at > now:
                continue
            found = process_table.look(pid)
            if found is None or found.project != self._project:
                pause = 0 if now - first_seen < YOUNG_MS else OLD_EVERY_MS
                self._others[pid] = (first_seen, now + pause)
            elif not found.is_zombie:
                self._watch(found)

    def _watch(self, found: TaskProcess) -> None:
        try:
            fd = os.pidfd_open(found.pid)
        except ProcessLookupError:
            self._write(found, now_ms())
            return
        self._watched[fd] = found
        self._others.pop(found.pid, None)
        self._poll.register(fd, select.POLLIN)

    def _note_end(self, fd: int) -> None:
        self._write(self._watched.pop(fd), now_ms())
        self._poll.unregister(fd)
        os.close(fd)

    def _write(self, one: TaskProcess, end_ms: float) -> None:
        line = {"pid": one.pid, "job": one.job, "attempt": one.attempt, "rank": one.rank}
        self._out.write(json.dumps(line | {"start_ms": one.start_ms, "end_ms": round(end_ms, 1)}) + "\n")
        self._out.flush()


if __name__ == "__main__":
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        Observer(sys.argv[1], file).run()
