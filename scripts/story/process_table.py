"""What /proc says about the processes of jobs: a look from outside, which uses nothing of the factory."""

import os
import time
from dataclasses import dataclass

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class TaskProcess:
    """A process that carries the marks of an attempt in its environment; `start_ms` counts from the machine's start."""

    pid: int
    parent: int
    start_ms: int
    is_zombie: bool
    project: str
    job: str
    attempt: str
    rank: str


def now_ms() -> float:
    """Return milliseconds since the machine started, on the clock that the kernel dates processes with."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


def pids() -> list[int]:
    """Return the ids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def look(pid: int) -> TaskProcess | None:
    """Return a process if it belongs to an attempt; None for any other, and for one that may not be looked at."""
    marks = environment(pid)
    if "EISBACH_ATTEMPT_ID" not in marks:
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return TaskProcess(
        pid=pid,
        parent=int(fields[1]),
        start_ms=int(fields[19]) * 1000 // TICKS_PER_SECOND,
        is_zombie=fields[0] in (b"Z", b"X"),
        project=marks.get("EISBACH_PROJECT_ID", ""),
        job=marks.get("EISBACH_JOB_ID", ""),
        attempt=marks["EISBACH_ATTEMPT_ID"],
        rank=marks.get("RANK", ""),
    )


def environment(pid: int) -> dict[str, str]:
    """Return the environment a process was started with, nothing where it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return {}
    pairs = (entry.decode("utf-8", "replace").partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs}


def of_project(project: str) -> list[TaskProcess]:
    """Return all processes of a project's attempts that run now."""
    found = (look(pid) for pid in pids())
    return [one for one in found if one is not None and one.project == project and not one.is_zombie]


def worker(project: str, rank: str) -> TaskProcess | None:
    """Return the process that does the work of a rank: the one that started none of the others."""
    mine = [one for one in of_project(project) if one.rank == rank]
    parents = {one.parent for one in mine}
    return next((one for one in mine if one.pid not in parents), None)
