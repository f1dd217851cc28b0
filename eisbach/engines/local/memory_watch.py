"""Memory of tasks where no cgroup measures it: the process tree is added up every quarter of a second."""

import os
from collections.abc import Mapping

from eisbach.engines.local import processes

INTERVAL_MS = 250
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024


class MemoryWatch:
    """Adds up resident memory per task; `tasks` maps the pid of a task's first process to (rank, MiB allowed)."""

    def __init__(self, tasks: Mapping[int, tuple[int, int]]) -> None:
        self._tasks = tasks
        self._known: dict[tuple[int, int], int] = {}
        self.peak_mib: dict[int, int] = {rank: 0 for rank, _ in tasks.values()}

    def look(self, supervisor: int) -> int | None:
        """Measure now; return the first process of a task that is over its share, or None."""
        rows = processes.descendants(supervisor, processes.all_processes())
        members = self._members(rows)
        for first, pids in members.items():
            rank, allowed_mib = self._tasks[first]
            used = sum(_resident(pid) for pid in pids)
            if used > allowed_mib * _MIB:
                used = sum(_proportional(pid) for pid in pids)  # shared pages counted once: slower, so only in doubt
            self.peak_mib[rank] = max(self.peak_mib[rank], -(-used // _MIB))
            if used > allowed_mib * _MIB:
                return first
        return None

    def members_of(self, first: int, supervisor: int) -> list[processes.ProcessRow]:
        """Return the processes of one task."""
        rows = processes.descendants(supervisor, processes.all_processes())
        pids = set(self._members(rows).get(first, []))
        return [row for row in rows if row.pid in pids]

    def _members(self, rows: list[processes.ProcessRow]) -> dict[int, list[int]]:
        """Return the pids of each task; one that left session and parents stays with the task it was first seen in."""
        by_pid = {row.pid: row for row in rows}
        members: dict[int, list[int]] = {first: [] for first in self._tasks}
        known: dict[tuple[int, int], int] = {}
        only = next(iter(self._tasks))
        for row in rows:
            first = row.session if row.session in self._tasks else self._known.get((row.pid, row.start))
            above: processes.ProcessRow | None = row
            while first is None and above is not None:
                first = above.pid if above.pid in self._tasks else self._known.get((above.pid, above.start))
                above = by_pid.get(above.parent)
            known[row.pid, row.start] = owner = only if first is None else first
            members[owner].append(row.pid)
        self._known = known
        return members


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:"))
    except OSError:
        return _resident(pid)
