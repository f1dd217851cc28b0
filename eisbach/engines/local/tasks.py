"""Starts the tasks of a gang: confined before their first instruction, and let go together."""

import os
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from eisbach.engines.local.cgroups import CgroupParents, TaskGroup
from eisbach.ports.engine import DataOrder

SHELL = "/bin/bash"
_SETUP_THEN_RUN = 'bash "$1" || exit; exec bash "$2"'
_LIMIT_THEN_RUN = 'ulimit -u "$1"; shift; exec "$@"'
"""Where no cgroup limits processes: for ever. The supervisor could not raise its own limit again after that."""
_WAIT_THEN_RUN = 'read -r _ <&3; exec 3<&-; exec "$@"'
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """All that one task needs before it runs; `user_id` is None where it runs as who the engine is."""

    rank: int
    memory_mib: int
    folder: str
    run: str
    setup: str
    environment: Mapping[str, str]
    checkpoint: str
    checkpoint_path: str
    workdir: Path | None
    data: tuple[DataOrder, ...] = ()
    user_id: int | None
    group: TaskGroup
    processes_max: int | None

    @property
    def workspace(self) -> str:
        """Return where the task runs."""
        return f"{self.folder}/work"


@dataclass(slots=True)
class Task:
    """A started task as its supervisor sees it."""

    plan: TaskPlan
    pid: int
    output_fds: dict[int, str] = field(default_factory=dict)
    exit_code: int | None = None


class Starter:
    """Starts the tasks of one gang: each `start` makes one, `let_go` lets them run; raise OSError or ValueError.

    A task must be in its cgroup and have its user before its first instruction, since a tenant's environment
    (LD_PRELOAD, BASH_ENV) runs code at once. So the supervisor itself puts both on for the moment of the start: with
    posix_spawn that costs a third of a fork of this interpreter. (For that moment other processes of the same project
    may signal the supervisor: a project that does so only loses its own attempt.) With more than one task a shell waits on descriptor 3
    in each of them, so that a gang starts whole or not at all.
    """

    def __init__(self, parents: CgroupParents, count: int) -> None:
        self._parents = parents
        self._go: tuple[int, int] | None = os.pipe() if count > 1 else None

    def start(self, plan: TaskPlan) -> Task:
        """Start one task in its workspace, its output going into pipes."""
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out_write, 1),
            (os.POSIX_SPAWN_DUP2, err_write, 2),
        ]
        path, arguments = SHELL, _arguments(plan)
        if self._go is not None:
            actions.append((os.POSIX_SPAWN_DUP2, self._go[0], 3))
            path, arguments = "/bin/sh", ["sh", "-c", _WAIT_THEN_RUN, "eisbach", *arguments]
        try:
            with self._confined(plan):
                pid = os.posix_spawn(
                    path,
                    arguments,
                    plan.environment,
                    file_actions=actions,
                    setsid=True,
                    setsigdef=_IGNORED_BY_PYTHON,
                )
        except BaseException:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
        for fd in (out_read, err_read):
            os.set_blocking(fd, False)
        return Task(plan, pid, {out_read: "o", err_read: "e"})

    def let_go(self) -> None:
        """Let all tasks run."""
        if self._go is not None:
            os.close(self._go[0])
            os.close(self._go[1])
            self._go = None

    @contextmanager
    def _confined(self, plan: TaskPlan) -> Iterator[None]:
        """Be in the task's workspace, cgroup, limits and user for a moment; root stays the saved user to come back."""
        os.chdir(plan.workspace)
        plan.group.join()
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        user_id = plan.user_id
        try:
            if plan.processes_max is not None:
                resource.setrlimit(resource.RLIMIT_NPROC, (plan.processes_max, hard))
            if user_id is not None:
                os.setgroups([])
                os.setresgid(user_id, user_id, 0)
                os.setresuid(user_id, user_id, 0)  # execve makes the saved user equal to the effective one
            yield
        finally:
            if user_id is not None:
                os.setresuid(0, 0, 0)
                os.setresgid(0, 0, 0)
            if plan.processes_max is not None:
                resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
            self._parents.come_back()
            os.chdir("/")


def _arguments(plan: TaskPlan) -> list[str]:
    run = ["bash", f"{plan.folder}/run.sh"]
    if plan.setup:
        run = ["bash", "-c", _SETUP_THEN_RUN, "eisbach", f"{plan.folder}/setup.sh", run[1]]
    if plan.processes_max is not None:
        run = ["bash", "-c", _LIMIT_THEN_RUN, "eisbach", str(plan.processes_max), *run]
    return run


def processes_limit(limits_by_group: bool, user_id: int | None, wanted: int) -> int | None:
    """Return RLIMIT_NPROC for a task: none where a cgroup limits, else counted on top of what the user runs already."""
    if limits_by_group:
        return None
    if user_id is not None:
        return wanted
    if os.geteuid() == 0:
        return None  # the kernel does not hold root to it
    own = os.geteuid()
    running = 0
    for name in os.listdir("/proc"):
        with suppress(OSError):  # it ended between the two looks
            if name.isdecimal() and os.stat(f"/proc/{name}").st_uid == own:
                running += len(os.listdir(f"/proc/{name}/task"))
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return running + wanted if hard == resource.RLIM_INFINITY else min(running + wanted, hard)
