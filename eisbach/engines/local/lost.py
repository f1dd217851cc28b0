"""Ends what a dead supervisor left: found by cgroup, by parent, by session and by its workplace in the environment."""

import os
from collections.abc import Callable

from eisbach.engines.local import processes
from eisbach.engines.local.cgroups import TaskGroup
from eisbach.engines.local.folder import Marker, Running
from eisbach.engines.local.processes import ProcessRow

_PATIENCE_MS = 10_000


def end_leftovers(
    workplaces: str, marker: Marker, running: Running | None, groups: TaskGroup, known_children: set[int]
) -> bool:
    """Kill everything that still runs of an attempt; return whether nothing is left.

    `workplaces` is how the folders of its tasks begin: no other attempt has them, on other homes of this machine neither.
    `known_children` are the agent's own: any other child of the agent is an orphan of a dead supervisor, since the
    agent is their subreaper.
    """
    groups.forbid_forks()
    find = _finder(workplaces, marker, running, groups, known_children)

    def is_over() -> bool:
        processes.reap()
        return not find()

    return processes.kill_rows(find, is_over, processes.boottime_ms() + _PATIENCE_MS)


def _finder(
    workplaces: str, marker: Marker, running: Running | None, groups: TaskGroup, known_children: set[int]
) -> Callable[[], list[ProcessRow]]:
    agent = os.getpid()
    sessions = set() if running is None else set(running.sessions)
    # both name the workplace; programs often set TMPDIR anew for what they start
    marks = tuple(name + os.fsencode(workplaces) for name in (b"TMPDIR=", b"EISBACH_CHECKPOINT_DIR="))

    def find() -> list[ProcessRow]:
        rows = [row for row in processes.all_processes() if row.lives]
        in_groups = groups.processes()
        found = {
            row.pid: row
            for row in rows
            if row.pid != agent
            and row.start >= marker.start
            and row.pid not in known_children
            and (
                row.pid in in_groups
                or row.parent == agent
                or row.session in sessions
                or any(line.startswith(marks) for line in _environment(row.pid))
            )
        }
        for row in list(found.values()):
            found.update((below.pid, below) for below in processes.descendants(row.pid, rows))
        return list(found.values())

    return find


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
