"""Forks the tasks of a gang: each prepares itself, all wait, then all are let go together, or none."""

import errno
import gc
import os
import resource
import shutil
import signal
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from eisbach.engines.local import processes
from eisbach.engines.local.cgroups import TaskGroup
from eisbach.engines.local.unpack import Refused, unpack

READY, REFUSED, DISK_FULL, BROKEN = b"R", b"X", b"D", b"B"
"""First byte of what a task says while it prepares itself; a sentence follows the last three."""

_SHELL = "/bin/bash"
_SETUP_THEN_RUN = 'bash "$1" || exit; exec bash "$2"'


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """All that one task needs before it runs; `user_id` is None where it runs as who the engine is."""

    rank: int
    memory_mib: int
    folder: Path
    run: str
    setup: str
    environment: Mapping[str, str]
    checkpoint: Path
    checkpoint_path: str
    workdir: Path | None
    user_id: int | None
    group: TaskGroup
    processes_max: int | None

    @property
    def workspace(self) -> Path:
        """Return where the task runs."""
        return self.folder / "work"


@dataclass(slots=True)
class Task:
    """A forked task as its supervisor sees it."""

    plan: TaskPlan
    pid: int
    status_fd: int
    output_fds: dict[int, str] = field(default_factory=dict)
    is_ready: bool = False
    is_gone_off: bool = False
    exit_code: int | None = None


def fork_task(plan: TaskPlan, go_read: int, go_write: int) -> Task:
    """Make the task's folders and fork it; it stops before exec until `go_write` is closed by every holder."""
    _make_folders(plan)
    archive = -1 if plan.workdir is None else os.open(plan.workdir, os.O_RDONLY)
    status_read, status_write = os.pipe()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        _become_task(plan, supervisor, (go_read, status_write, archive), (out_write, err_write))
    for fd in (status_write, out_write, err_write, *([archive] if archive >= 0 else [])):
        os.close(fd)
    for fd in (status_read, out_read, err_read):
        os.set_blocking(fd, False)
    return Task(plan, pid, status_read, {out_read: "o", err_read: "e"})


def _make_folders(plan: TaskPlan) -> None:
    temporary = plan.folder / "tmp"
    for folder in (plan.folder, plan.workspace, temporary):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan.checkpoint.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in (("setup.sh", plan.setup), ("run.sh", plan.run)):
        if text or name == "run.sh":
            fd = os.open(plan.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
            if plan.user_id is not None:
                os.chown(plan.folder / name, plan.user_id, plan.user_id)
    if plan.user_id is not None:
        plan.folder.parent.chmod(0o711)
        plan.checkpoint.parent.chmod(0o711)
        for folder in (plan.folder, plan.workspace, temporary, plan.checkpoint):
            os.chown(folder, plan.user_id, plan.user_id)


def _become_task(plan: TaskPlan, supervisor: int, fds: tuple[int, int, int], outputs: tuple[int, int]) -> NoReturn:
    """Turn the forked child into the task; never returns."""
    status = fds[1]
    try:
        gc.disable()
        go, status, archive = _arrange_descriptors(fds, outputs)
        _restrict(plan, supervisor)
        if archive >= 0:
            with open(archive, "rb") as file:
                unpack(file, plan.workspace)
        _link_checkpoint(plan)
        os.write(status, READY)
        os.read(go, 1)  # ends when the supervisor lets all go; where it died, the kernel killed this process
        os.execve(_SHELL, _arguments(plan), dict(plan.environment))
    except Refused as error:
        _say(status, REFUSED, str(error))
    except ValueError:
        _say(status, REFUSED, "an environment variable or the script has a NUL byte or an impossible name")
    except OSError as error:
        if error.errno == errno.E2BIG:
            _say(status, REFUSED, "the environment variables are larger than the kernel takes")
        kind = DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else BROKEN
        _say(status, kind, f"a task could not be prepared: {os.strerror(error.errno or 0)}")
    except BaseException as error:  # noqa: BLE001 - nothing may run on as a copy of the supervisor
        _say(status, BROKEN, f"a task could not be prepared: {type(error).__name__}")
    os._exit(127)


def _say(status: int, kind: bytes, text: str) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(status, kind + text.encode())


def _arrange_descriptors(fds: tuple[int, int, int], outputs: tuple[int, int]) -> tuple[int, int, int]:
    """Keep nothing of the supervisor but three descriptors, which close at exec; return them."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(outputs[0], 1)
    os.dup2(outputs[1], 2)
    high = 3
    for fd in sorted(fd for fd in fds if fd >= 0):
        os.closerange(high, fd)
        high = fd + 1
    os.closerange(high, 1 << 20)
    return fds


def _restrict(plan: TaskPlan, supervisor: int) -> None:
    """Give up everything a task must not have: session, signals, limits, user, privileges."""
    os.setsid()
    plan.group.join()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores these two, a program must not inherit that
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if plan.processes_max is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (plan.processes_max, plan.processes_max))
    os.chdir(plan.workspace)
    if plan.user_id is not None:
        os.setgroups([])
        os.setresgid(plan.user_id, plan.user_id, plan.user_id)
        os.setresuid(plan.user_id, plan.user_id, plan.user_id)
    processes.renounce_privileges()
    processes.die_with_parent(supervisor)  # after the change of user, which would reset it


def _link_checkpoint(plan: TaskPlan) -> None:
    """Put the job's checkpoint folder at its path; files that the workdir brought there become its first content."""
    link = plan.workspace / plan.checkpoint_path
    link.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.realpath(link.parent).startswith(os.path.realpath(plan.workspace)):
        raise Refused("the checkpoint path leads out of the workspace by a link")
    if os.path.lexists(link):
        if not stat.S_ISDIR(os.lstat(link).st_mode):
            raise Refused("the workdir has a file where the checkpoint folder belongs")
        for name in os.listdir(link):
            if not os.path.lexists(plan.checkpoint / name):
                shutil.move(link / name, plan.checkpoint / name)
        shutil.rmtree(link)
    os.symlink(plan.checkpoint, link)


def _arguments(plan: TaskPlan) -> list[str]:
    run = str(plan.folder / "run.sh")
    if not plan.setup:
        return ["bash", run]
    return ["bash", "-c", _SETUP_THEN_RUN, "eisbach", str(plan.folder / "setup.sh"), run]


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
    return running + wanted
