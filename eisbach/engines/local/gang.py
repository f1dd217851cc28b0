"""Watches the tasks of one attempt from first fork to last process: output, limit, stop, failure, memory."""

import os
import select
import signal
from collections.abc import Callable, Sequence

from eisbach.engines.local import processes
from eisbach.engines.local.layout import GANG_GRACE_MS_MAX
from eisbach.engines.local.logbook import READ_BYTES, LogBook, StreamCapture
from eisbach.engines.local.memory_watch import INTERVAL_MS, MemoryWatch
from eisbach.engines.local.tasks import Task
from eisbach.ports.engine import Ending, StopOrder

_WAIT_MS_MAX = 60_000
"""CLOCK_BOOTTIME runs while a machine sleeps, poll's clock does not: look at the limit at least this often."""
_UNENDED_MS = 1_000
"""How long a line without an end is held back."""
_PIPE_BYTES_MAX = 1024 * 1024
"""What a pipe can hold (pipe(7)): whatever is read beyond that was written after the end, by somebody who got the pipe."""


class Gang:
    """The tasks of one attempt, watched on one thread.

    How a task is asked to end: its checkpoint signal at once; SIGTERM with it where that is the checkpoint signal, else
    after half of the grace; SIGKILL to all it started when the grace is over. A task counts as gone only when nothing
    it started is left, since the shell in front of a program often dies of the signal before the program has saved.
    """

    def __init__(
        self,
        members: Sequence[Task],
        book: LogBook,
        wake_fd: int,
        checkpoint_signal: int,
        read_stop: Callable[[], StopOrder | None],
    ) -> None:
        self._tasks = {task.pid: task for task in members}
        self._wake_fd = wake_fd
        self._checkpoint_signal = checkpoint_signal
        self._read_stop = read_stop
        self._poll = select.poll()
        self._poll.register(wake_fd, select.POLLIN)
        self._captures: dict[int, StreamCapture] = {}
        for task in members:
            for fd, stream in task.output_fds.items():
                self._captures[fd] = StreamCapture(book, task.plan.rank, stream)
                self._poll.register(fd, select.POLLIN)
        self._has_children = True
        self._stop_at: int | None = None
        self._stop_grace_ms = 0
        self._term_at: int | None = None
        self._kill_at: int | None = None
        self._flush_at: int | None = None
        self.spent = processes.Spent()
        self.cause: Ending | None = None
        self.failed: Task | None = None
        self.memory: MemoryWatch | None = None

    def watch(self, limit_at: int, grace_ms: int, watches_memory: bool) -> None:
        """Return when the attempt is over: all tasks ended, or what was asked to end had its time."""
        self.look_for_stop()
        if watches_memory:
            self.memory = MemoryWatch(
                {task.pid: (task.plan.rank, task.plan.memory_mib) for task in self._tasks.values()}
            )
        while True:
            now = processes.boottime_ms()
            if self.cause is None and now >= limit_at:
                self.begin_stop(Ending.TIMED_OUT, grace_ms)
            if self._stop_at is not None and now >= self._stop_at:
                self._stop_at = None
                self.begin_stop(Ending.STOPPED, self._stop_grace_ms)
            if self._term_at is not None and now >= self._term_at:
                self._term_at = None
                self._signal_all(signal.SIGTERM)
            if self._flush_at is not None and now >= self._flush_at:
                self._flush()
            if self._is_over(now, grace_ms):
                return
            due = [at for at in (self._stop_at, self._term_at, self._kill_at, self._flush_at) if at is not None]
            if self.cause is None:
                due.append(limit_at)
            wait_ms = min(_WAIT_MS_MAX, *(at - now for at in due))
            if self.memory is not None and self.cause is None:
                wait_ms = min(wait_ms, INTERVAL_MS)
                self._look_at_memory()
            self._wait(max(wait_ms, 0))

    def _is_over(self, now: int, grace_ms: int) -> bool:
        if self.cause is None:
            if self.failed is not None:
                if all(task.exit_code is not None for task in self._tasks.values()):
                    return True
                self.begin_stop(Ending.FAILED, min(grace_ms, GANG_GRACE_MS_MAX), checkpoints=False)
                return False
            return all(task.exit_code is not None for task in self._tasks.values())
        return not self._has_children or (self._kill_at is not None and now >= self._kill_at)

    def begin_stop(self, cause: Ending, grace_ms: int, *, checkpoints: bool = True) -> None:
        """Ask all tasks to end; a later call can only shorten the time."""
        now = processes.boottime_ms()
        if self.cause is not None:
            if self._kill_at is not None:
                self._kill_at = min(self._kill_at, now + grace_ms)
            return
        self.cause = cause
        self._kill_at = now + grace_ms
        if not checkpoints or self._checkpoint_signal == signal.SIGTERM:
            self._signal_all(signal.SIGTERM)
        else:
            self._signal_all(self._checkpoint_signal)
            self._term_at = now + grace_ms // 2

    def look_for_stop(self) -> None:
        """Obey the stop order if there is one, when its notice is over; a later order can only bring that nearer."""
        order = self._read_stop()
        if order is None:
            return
        at = processes.boottime_ms() + order.notice_ms
        if order.notice_ms and self.cause is None:
            if self._stop_at is None or at < self._stop_at:
                self._stop_at, self._stop_grace_ms = at, order.grace_ms
            return
        self._stop_at = None
        self.begin_stop(Ending.STOPPED, order.grace_ms)

    def end(self) -> None:
        """Leave nothing that any task started, then take what is left of the output."""
        me = os.getpid()
        if processes.reap(self._on_end, self.spent):
            for task in self._tasks.values():
                task.plan.group.forbid_forks()
            processes.kill_rows(
                lambda: processes.descendants(me, processes.all_processes()),
                lambda: not processes.reap(self._on_end, self.spent),
            )

    def drain(self) -> None:
        """Take the rest of the output; a pipe that somebody outside holds open is not waited for."""
        for fd in list(self._captures):
            for _ in range(_PIPE_BYTES_MAX // READ_BYTES):
                if fd not in self._captures or not self._on_output(fd):
                    break
            if fd in self._captures:
                self._close_output(fd)

    @property
    def members(self) -> list[Task]:
        """Return the tasks."""
        return list(self._tasks.values())

    def _signal_all(self, number: int) -> None:
        """Signal the groups of all tasks; a group that is empty may be another one's by now, its number is free."""
        rows: list[processes.ProcessRow] | None = None
        for task in self._tasks.values():
            if task.exit_code is not None:
                rows = processes.descendants(os.getpid(), processes.all_processes()) if rows is None else rows
                if all(row.session != task.pid for row in rows):
                    continue
            processes.signal_group(task.pid, number)

    def _wait(self, wait_ms: int) -> None:
        for fd, _ in self._poll.poll(wait_ms):
            if fd == self._wake_fd:
                self._on_signals(os.read(fd, 512))
            elif fd in self._captures:
                self._on_output(fd)

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGCHLD in numbers:
            self._has_children = processes.reap(self._on_end, self.spent)
        if signal.SIGUSR1 in numbers:
            self.look_for_stop()
        if signal.SIGTERM in numbers:
            self.begin_stop(Ending.LOST, GANG_GRACE_MS_MAX)

    def _on_end(self, pid: int, status: int) -> None:
        task = self._tasks.get(pid)
        if task is None:
            return
        code = os.waitstatus_to_exitcode(status)
        task.exit_code = code if code >= 0 else 128 - code
        if task.exit_code != 0 and self.failed is None:
            self.failed = task

    def _on_output(self, fd: int) -> bool:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_output(fd)
            return False
        capture = self._captures[fd]
        capture.add(data, processes.wall_ms())
        if self._flush_at is None and capture.has_rest:
            self._flush_at = processes.boottime_ms() + _UNENDED_MS
        return True

    def _flush(self) -> None:
        self._flush_at = None
        for capture in self._captures.values():
            capture.flush(processes.wall_ms())

    def _close_output(self, fd: int) -> None:
        self._captures.pop(fd).end(processes.wall_ms())
        self._poll.unregister(fd)
        os.close(fd)

    def _look_at_memory(self) -> None:
        if self.memory is None:
            return
        first = self.memory.look(os.getpid())
        if first is None:
            return
        watch, me = self.memory, os.getpid()
        deadline = processes.boottime_ms() + GANG_GRACE_MS_MAX
        processes.kill_rows(
            lambda: watch.members_of(first, me),
            lambda: not [row for row in watch.members_of(first, me) if row.lives],
            deadline,
        )
        self._has_children = processes.reap(self._on_end, self.spent)
        self.failed = self._tasks[first]
        self.begin_stop(Ending.OUT_OF_MEMORY, GANG_GRACE_MS_MAX, checkpoints=False)
