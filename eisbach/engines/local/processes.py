"""Processes of Linux by their exact identity: (pid, start time, boot id), and how to end all that something started."""

import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl")


def become_subreaper() -> None:
    """Make this process the parent of its descendants' orphans, so that none escapes by a double fork."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent dies; raise ProcessLookupError if that happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the supervisor died")


def renounce_privileges() -> None:
    """Forbid this process and all it starts to gain privileges (set-uid programs)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def boottime_ms() -> int:
    """Return milliseconds since the machine started, suspended time included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def wall_ms() -> int:
    """Return milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000


def boot_id() -> str:
    """Return the kernel's identity of this run of the machine."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One line of the process table; `start` is in clock ticks since the machine started, `letter` as in ps."""

    pid: int
    parent: int
    session: int
    start: int
    letter: str

    @property
    def lives(self) -> bool:
        """Return whether it still runs: a zombie only waits to be collected."""
        return self.letter not in "ZX"


def look_up(pid: int) -> ProcessRow | None:
    """Return what /proc says of a process, None where it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        data = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    fields = data[data.rindex(b")") + 2 :].split()
    return ProcessRow(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0].decode())


def all_processes() -> list[ProcessRow]:
    """Return every process that /proc shows."""
    rows = (look_up(int(name)) for name in os.listdir("/proc") if name.isdecimal())
    return [row for row in rows if row is not None]


def descendants(root: int, rows: Iterable[ProcessRow]) -> list[ProcessRow]:
    """Return all below `root`, without it."""
    children: dict[int, list[ProcessRow]] = {}
    for row in rows:
        children.setdefault(row.parent, []).append(row)
    found: list[ProcessRow] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [row.pid for row in below]
    return found


def open_exact(pid: int, start: int) -> int | None:
    """Return a pidfd of the process with this pid and start time, None where it is gone (a later pid is another)."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    row = look_up(pid)
    if row is None or row.start != start:
        os.close(fd)
        return None
    return fd


def send_exact(row: ProcessRow, number: int) -> None:
    """Send a signal to exactly this process, nothing if it is gone."""
    fd = open_exact(row.pid, row.start)
    if fd is None:
        return
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile: what we wanted
    finally:
        os.close(fd)


@dataclass(slots=True)
class Spent:
    """What ended processes used, summed up with all that they waited for; `largest_kib` is the largest one's memory."""

    cpu_s: float = 0.0
    largest_kib: int = 0


def reap(on_end: Callable[[int, int], None] | None = None, spent: Spent | None = None) -> bool:
    """Collect all children that ended (`on_end(pid, status)`); return whether any child is left."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if spent is not None:
            spent.cpu_s += usage.ru_utime + usage.ru_stime
            spent.largest_kib = max(spent.largest_kib, usage.ru_maxrss)
        if on_end is not None:
            on_end(pid, status)


def wake_stopped_children() -> None:
    """Let children go on that somebody stopped (a task may signal its supervisor in the moment of its start)."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return
        if found is None:
            return
        os.kill(found.si_pid, signal.SIGCONT)  # not collected yet, so the pid is still its own


def kill_rows(find: Callable[[], list[ProcessRow]], is_over: Callable[[], bool], deadline_ms: int | None = None) -> bool:
    """End all that `find` returns, also what forks faster than one can kill: first stop all, then kill, until over.

    Return whether nothing is left; False only where `deadline_ms` (CLOCK_BOOTTIME) passed.
    """
    pause_s = 0.0005
    while not is_over():
        stopped: set[tuple[int, int]] = set()
        for _ in range(100):  # a stopped process cannot fork: each round sees fewer new ones
            rows = [row for row in find() if row.lives]
            fresh = [row for row in rows if (row.pid, row.start) not in stopped]
            if len(fresh) <= 1 and not stopped:
                break  # one process alone is killed before it can fork away
            for row in fresh:
                send_exact(row, signal.SIGSTOP)
            stopped.update((row.pid, row.start) for row in fresh)
            if not fresh:
                break
        for row in rows:
            send_exact(row, signal.SIGKILL)
        if is_over():
            return True
        if deadline_ms is not None and boottime_ms() > deadline_ms:
            return False
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    return True


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group; nothing if it is empty."""
    try:
        os.killpg(group, number)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EPERM):
            raise
