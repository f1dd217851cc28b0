"""Runs one attempt, in a process of its own that outlives server and agent: read `Supervisor.run`, it is the order."""

import errno
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace as changed

from eisbach.engines.local import processes
from eisbach.engines.local.cgroups import CgroupParents, TaskGroup
from eisbach.engines.local.durable import log_error
from eisbach.engines.local.environment import task_environment
from eisbach.engines.local.folder import AttemptFolder, Marker, OrderFile, Outcome, Running
from eisbach.engines.local.gang import Gang
from eisbach.engines.local.layout import PROCESSES_MAX, Layout
from eisbach.engines.local.logbook import LogBook
from eisbach.engines.local.outputs import Kept, are_inside, keep_outputs
from eisbach.engines.local.prepare import Trouble, gather_all, make_workspace, remove_workplace, unpack_all
from eisbach.engines.local.private_memory import PrivateMemory
from eisbach.engines.local.protocol import SocketFolder, report_bytes
from eisbach.engines.local.tasks import Starter, Task, TaskPlan, processes_limit
from eisbach.engines.local.unpack import Refused
from eisbach.ports import crash
from eisbach.ports.engine import Ending, Observation, TaskOrder, Usage

REPORT_SOCKET = "report"
_DETAILS = {
    Ending.EXITED: "every task exited with 0",
    Ending.TIMED_OUT: "the time limit was reached",
    Ending.STOPPED: "stopped as ordered",
    Ending.LOST: "the supervisor was told to end, as when the machine shuts down",
}
_TOLD_ELSEWHERE = (Ending.EXITED, Ending.FAILED, Ending.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """What the agent gives to each of its supervisors."""

    layout: Layout
    parents: CgroupParents
    boot_id: str
    log_bytes_max: int


class Supervisor:
    """One attempt from lock to outcome."""

    def __init__(
        self,
        settings: SupervisorSettings,
        order_file: OrderFile,
        secrets: Sequence[tuple[str, str]],
        memory: PrivateMemory | None = None,
    ) -> None:
        self._settings = settings
        self._memory = memory or PrivateMemory()
        self._order = order_file.order
        self._file = order_file
        self._secrets = tuple(secrets)
        self._folder = AttemptFolder(settings.layout.attempt(self._order.attempt_id))
        self._book = LogBook(self._folder.log, settings.log_bytes_max)
        self._groups: list[TaskGroup] = []
        self._running: Running | None = None
        self._has_failed = False
        self._has_notes = False
        self._observation = Observation(attempt_id=self._order.attempt_id, running_since_ms=None, held_ms=0)

    def run(self, wake_fd: int) -> bool:
        """Do everything, in the order that makes at most one start and exactly one outcome.

        Return whether this process is fit to supervise another attempt.
        """
        crash.reached("engine.supervisor_begun")
        lock = self._folder.try_lock()
        if lock is None:
            return True  # another supervisor has this attempt
        try:
            crash.reached("engine.locked")
            if self._folder.read().marker is None:
                self._run_locked(wake_fd)
        finally:
            self._memory.release()
            os.close(lock)
        return not self._has_failed

    def _run_locked(self, wake_fd: int) -> None:
        try:
            self._attempt(wake_fd)
        except OSError as error:
            self._has_failed = True
            self._observation = self._ended_by(error)
        self._tell()
        self._folder.append(Outcome(self._observation))
        crash.reached("engine.outcome_written")
        self._report()
        crash.reached("engine.reported")
        if self._observation.ending not in (Ending.LOST, Ending.DISK_FULL):  # of those somebody may want to look
            self._clear_workplaces()

    def _tell(self) -> None:
        """Write what went wrong into the log as well: it is what the customer reads."""
        seen = self._observation
        if seen.detail and (seen.ending not in _TOLD_ELSEWHERE or self._has_notes):
            with suppress(OSError):  # the outcome is what counts
                self._book.notice(processes.wall_ms(), seen.detail)
                self._book.close()

    def _clear_workplaces(self) -> None:
        """Free the disk at once where a job left files; empty folders wait for forget(), which removes many together."""
        for task in self._order.tasks:
            place = self._place(task.rank)
            try:
                is_used = len(os.listdir(f"{place}/work")) > 1 or bool(os.listdir(f"{place}/tmp")) or bool(self._order.data)
            except OSError:
                is_used = True  # the task closed, removed or replaced them
            if is_used:
                remove_workplace(place)

    def _place(self, rank: int) -> str:
        return str(self._settings.layout.workplace(self._order.attempt_id, rank))

    def _attempt(self, wake_fd: int) -> None:
        order = self._order
        me = processes.look_up(os.getpid())
        names = self._group_names()
        self._folder.append(Marker(os.getpid(), me.start if me else 0, self._settings.boot_id, names))
        crash.reached("engine.marked")
        number = _signal_number(order.checkpoint_signal)
        trouble = self._fault_of_order(number)
        plans = [] if trouble else self._plans()
        if trouble is None:
            trouble = self._prepare(plans, wake_fd)
        if trouble is None:
            self._renew_memory()
            members: list[Task] = []
            starter = Starter(self._settings.parents, len(plans))
            trouble = self._start(starter, plans, members)
        if trouble is not None:
            self._end_unstarted(trouble)
            return
        gang = Gang(members, self._book, wake_fd, number or signal.SIGTERM, self._folder.read_stop)
        crash.reached("engine.tasks_ready")
        starter.let_go()
        self._watch(gang, [task.pid for task in members])

    def _renew_memory(self) -> None:
        if self._file.user_id is not None:
            with suppress(OSError):  # a container without this right: the machine's own is used
                self._memory.renew(sum(task.memory_mib for task in self._order.tasks))

    def _fault_of_order(self, number: int | None) -> Trouble | None:
        order = self._order
        if number is None:
            return Trouble(Ending.REFUSED, "the checkpoint signal is not one that this machine knows")
        if any(task.mig for task in order.tasks):
            return Trouble(Ending.REFUSED, "this engine cuts no GPU into slices; ask for a part of one, such as B200:0.5")
        if not are_inside((*order.outputs, order.checkpoint_path)):
            return Trouble(Ending.REFUSED, "an output or the checkpoint path leads out of the workspace")
        return None

    def _prepare(self, plans: Sequence[TaskPlan], wake_fd: int) -> Trouble | None:
        try:
            for plan in plans:
                make_workspace(plan)
        except (Refused, UnicodeError) as error:
            return Trouble(Ending.REFUSED, str(error))
        if self._order.data:
            trouble = gather_all(plans, wake_fd, lambda _: self._folder.read_stop() is not None)
            if trouble is not None:
                return trouble
        if self._order.workdir is not None:
            trouble = unpack_all(plans, wake_fd, lambda _: self._folder.read_stop() is not None)
            if trouble is not None:
                return trouble
        if self._folder.read_stop() is not None:
            return Trouble(Ending.STOPPED, "stopped before it ran")
        return None

    def _start(self, starter: Starter, plans: Sequence[TaskPlan], members: list[Task]) -> Trouble | None:
        try:
            for plan in plans:
                members.append(starter.start(plan))
        except ValueError:
            trouble = Trouble(Ending.REFUSED, "an environment variable has a NUL byte or an impossible name")
        except OSError as error:
            if error.errno == errno.E2BIG:
                trouble = Trouble(Ending.REFUSED, "the environment variables are larger than the kernel takes")
            else:
                trouble = Trouble(Ending.LOST, f"a task could not be started: {os.strerror(error.errno or 0)}")
        else:
            return None
        _end_descendants()
        starter.let_go()
        for fd in (fd for task in members for fd in task.output_fds):
            os.close(fd)
        return trouble

    def _watch(self, gang: Gang, sessions: list[int]) -> None:
        order = self._order
        began = processes.boottime_ms()
        self._running = Running(processes.wall_ms(), began, sessions)
        self._observation = changed(self._observation, running_since_ms=self._running.wall_ms)
        crash.reached("engine.tasks_running")
        self._folder.append(self._running, durably=False)
        self._report()
        try:
            gang.watch(began + order.limit_ms, order.grace_ms, not self._settings.parents.limits_memory)
        finally:
            gang.end()
            held = processes.boottime_ms() - began
            ended = processes.wall_ms()
            gang.drain()
            self._book.close()
            self._observation = changed(self._observation, held_ms=held, ended_at_ms=ended)
        crash.reached("engine.tasks_ended")
        self._conclude(gang)

    def _conclude(self, gang: Gang) -> None:
        """Fill in the ending, keep the outputs, and add what was used."""
        kills = {plan_rank: group.out_of_memory_kills() for plan_rank, group in enumerate(self._groups)}
        failed = gang.failed
        ending = gang.cause or (Ending.FAILED if failed is not None else Ending.EXITED)
        if ending is Ending.FAILED and failed is not None:
            over = [task for task in (failed, *gang.members) if kills.get(self._index(task.plan.rank)) and task.exit_code]
            if over:
                ending, failed = Ending.OUT_OF_MEMORY, over[0]
        detail = _DETAILS.get(ending, "")
        if failed is not None and ending in (Ending.FAILED, Ending.OUT_OF_MEMORY):
            rank, code = failed.plan.rank, failed.exit_code
            detail = f"task {rank} exited with {code}"
            if ending is Ending.OUT_OF_MEMORY:
                detail = f"task {rank} used more than its {failed.plan.memory_mib} MiB of memory"
        self._observation = changed(
            self._observation,
            ending=ending,
            exit_code=0 if ending is Ending.EXITED else failed.exit_code if failed is not None else None,
            rank=failed.plan.rank if failed is not None else None,
            usage=self._usage(gang),
        )
        self._remove_groups()
        kept = self._keep_outputs()
        crash.reached("engine.outputs_kept")
        unwritten = self._book.unwritten_bytes
        self._has_notes = bool(kept.left_out or unwritten)
        parts = [detail, kept.left_out, f"{unwritten:,} bytes of log found no room on the disk" if unwritten else ""]
        self._observation = changed(self._observation, detail="; ".join(part for part in parts if part))

    def _keep_outputs(self) -> Kept:
        order, layout = self._order, self._settings.layout
        if not order.outputs:
            return Kept([])
        workspaces = [(task.rank, Path(self._place(task.rank)) / "work") for task in order.tasks]
        target = layout.artifacts(order.job_id, order.attempt_id)
        kept = keep_outputs(
            order.outputs, workspaces, layout.checkpoint(order.job_id), target, owner=self._file.user_id
        )
        self._folder.write_artifacts(kept.artifacts)
        return kept

    def _usage(self, gang: Gang) -> Usage:
        spent = gang.spent
        peak = sum(group.memory_peak_mib() for group in self._groups)
        is_polled = not self._settings.parents.limits_memory
        if is_polled:
            polled = sum(gang.memory.peak_mib.values()) if gang.memory is not None else 0
            peak = max(polled, spent.largest_kib // 1024)
        return Usage(
            cpu_ms=round(spent.cpu_s * 1000),
            memory_peak_mib=peak,
            memory_is_polled=is_polled,
            log_bytes=self._book.text_bytes,
            log_dropped_bytes=self._book.dropped_bytes,
        )

    def _plans(self) -> list[TaskPlan]:
        """Return the plans of all tasks, their cgroups made."""
        order, settings, user_id = self._order, self._settings, self._file.user_id
        limit = processes_limit(settings.parents.limits_processes, user_id, PROCESSES_MAX)
        checkpoint = str(settings.layout.checkpoint(order.job_id))
        plans = []
        for task in order.tasks:
            group = TaskGroup.make(settings.parents, self._group_name(task), task.memory_mib, task.cpu_milli, PROCESSES_MAX)
            self._groups.append(group)
            folder = self._place(task.rank)
            environment = task_environment(order, task, self._secrets, folder, self._file.port)
            plans.append(
                TaskPlan(
                    rank=task.rank,
                    memory_mib=task.memory_mib,
                    folder=folder,
                    run=order.run,
                    setup=order.setup,
                    environment=environment,
                    checkpoint=checkpoint,
                    checkpoint_path=order.checkpoint_path,
                    workdir=order.workdir,
                    data=order.data,
                    user_id=user_id,
                    group=group,
                    processes_max=limit,
                )
            )
        return plans

    def _group_name(self, task: TaskOrder) -> str:
        return f"{self._settings.layout.group_prefix}{self._order.attempt_id}-{task.rank}"

    def _group_names(self) -> list[str]:
        """Return the folders of the cgroups that will be made, so that a successor finds what is in them."""
        roots = self._settings.parents.roots
        return [str(root / self._group_name(task)) for task in self._order.tasks for root in roots]

    def _index(self, rank: int) -> int:
        return next(index for index, task in enumerate(self._order.tasks) if task.rank == rank)

    def _remove_groups(self) -> None:
        for group in self._groups:
            group.remove()

    def _end_unstarted(self, trouble: Trouble) -> None:
        self._remove_groups()
        self._observation = changed(
            self._observation, ending=trouble.ending, detail=trouble.detail, ended_at_ms=processes.wall_ms()
        )

    def _ended_by(self, error: OSError) -> Observation:
        """Return the ending that an error of the engine's own work makes; what runs is ended first."""
        _end_descendants()
        self._remove_groups()
        log_error()
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        detail = "the disk of the engine is full" if is_full else "the engine failed: " + os.strerror(error.errno or 0)
        return changed(
            self._observation,
            ending=Ending.DISK_FULL if is_full else Ending.LOST,
            detail=detail + ("; no output was kept, it still lies in the workspace" if self._running else ""),
            ended_at_ms=self._observation.ended_at_ms or processes.wall_ms(),
        )

    def _report(self) -> None:
        """Tell the agent, if there is one; it finds the same in the files."""
        folder = SocketFolder(self._settings.layout.agent)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.settimeout(1.0)
            sender.sendto(report_bytes(self._observation), folder.address(REPORT_SOCKET))
        folder.close()


def _end_descendants() -> None:
    me = os.getpid()
    processes.kill_rows(lambda: processes.descendants(me, processes.all_processes()), lambda: not processes.reap())


def take_signals() -> int:
    """Have signals wake the watching loop through a pipe; return its reading end."""
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wake_read


def _signal_number(name: str) -> int | None:
    number = getattr(signal, name, None)
    if not name.startswith("SIG") or not isinstance(number, signal.Signals) or number in (signal.SIGSTOP,):
        return None
    return int(number)

