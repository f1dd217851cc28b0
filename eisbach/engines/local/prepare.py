"""Makes the workspaces of an attempt; a tenant's archive is unpacked by a child that has the tenant's rights only."""

import errno
import os
import select
import shutil
import signal
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from eisbach.core.jobs.data_request import FOLDER
from eisbach.engines.local import durable, processes
from eisbach.engines.local.data_files import place_data, same_data
from eisbach.engines.local.tasks import TaskPlan
from eisbach.engines.local.unpack import Refused, unpack
from eisbach.ports.engine import Ending

_READY, _REFUSED, _DISK_FULL, _BROKEN = b"R", b"X", b"D", b"B"
_ENDINGS = {_REFUSED: Ending.REFUSED, _DISK_FULL: Ending.DISK_FULL, _BROKEN: Ending.LOST}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the gang cannot start."""

    ending: Ending
    detail: str


def make_workspace(plan: TaskPlan) -> None:
    """Create the folders and scripts of one task, owned by its user; raise OSError.

    The folder that holds them stays the engine's own, so that a task cannot put a link in the place of its workspace:
    its supervisor goes there with more rights than the task has. It is closed until all is done: another job of the
    same user could change paths between two steps.
    """
    folder, user_id = plan.folder, plan.user_id
    os.mkdir(folder, 0o700)
    made = [f"{folder}/work", f"{folder}/tmp", plan.checkpoint]
    for path in made:
        with suppress(FileExistsError):  # the checkpoint folder, from an earlier attempt
            os.mkdir(path, 0o700)
    for name, text in (("run.sh", plan.run), ("setup.sh", plan.setup)):
        if name == "run.sh" or text:
            path = f"{folder}/{name}"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                durable.write_all(fd, text.encode("utf-8", "surrogateescape"))
            finally:
                os.close(fd)
            made.append(path)
    if plan.workdir is None:
        link = _link_checkpoint(plan)
        made += [link, *_parents_inside(link, plan.workspace)]
        made += _link_data(plan)
    if user_id is not None:
        for path in made:
            os.lchown(path, user_id, user_id)
        os.chmod(folder, 0o711)


def remove_workplace(folder: str) -> None:
    """Remove what a task left; without root also folders that it closed to itself."""
    if os.geteuid() != 0:
        with suppress(OSError):
            os.chmod(folder, 0o700)
        for parent, folders, _ in os.walk(folder):
            for path in (os.path.join(parent, name) for name in folders):
                if not os.path.islink(path):
                    with suppress(OSError):
                        os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _parents_inside(path: str, top: str) -> list[str]:
    parents = []
    while (path := os.path.dirname(path)) != top:
        parents.append(path)
    return parents


def unpack_all(plans: Sequence[TaskPlan], wake_fd: int, is_stopped: Callable[[bytes], bool]) -> Trouble | None:
    """Unpack the working directory of every task; return what went wrong, None where all are ready.

    `is_stopped(signals)` is asked whenever a signal woke the supervisor; what still unpacks then is killed.
    """
    forked = (_fork_unpacker(plan, os.fspath(plan.workdir)) for plan in plans if plan.workdir is not None)
    return _wait_for(dict(forked), wake_fd, is_stopped)


def gather_all(plans: Sequence[TaskPlan], wake_fd: int, is_stopped: Callable[[bytes], bool]) -> Trouble | None:
    """Put the job's data sets beside the workspaces; return what went wrong. With the engine's rights, in a child that can be killed."""
    return _wait_for(dict([_fork_gatherer(plans)]), wake_fd, is_stopped)


def _wait_for(children: dict[int, int], wake_fd: int, is_stopped: Callable[[bytes], bool]) -> Trouble | None:
    """Wait until each child (by the pipe it reports on) is ready; the first trouble, or a stop, ends them all."""
    trouble: Trouble | None = None
    poll = select.poll()
    for fd in (wake_fd, *children):
        poll.register(fd, select.POLLIN)
    waiting = set(children)
    while waiting and trouble is None:
        for fd, _ in poll.poll():
            if fd == wake_fd:
                if is_stopped(os.read(fd, 512)):
                    trouble = Trouble(Ending.STOPPED, "stopped before it ran")
            else:
                said = os.read(fd, 4096)
                waiting.discard(fd)
                poll.unregister(fd)
                if said != _READY and trouble is None:
                    text = said[1:].decode("utf-8", "replace") or "preparing the workspace was killed"
                    trouble = Trouble(_ENDINGS.get(said[:1], Ending.LOST), text)
    for fd, pid in children.items():
        os.close(fd)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # not reaped yet, so the pid is still its own
        os.waitpid(pid, 0)
    return trouble


def _fork_gatherer(plans: Sequence[TaskPlan]) -> tuple[int, int]:
    status_read, status_write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_gatherer(plans, status_write, supervisor)
    os.close(status_write)
    return status_read, pid


def _be_gatherer(plans: Sequence[TaskPlan], status: int, supervisor: int) -> NoReturn:
    said = _BROKEN + b"the data sets could not be put into place"
    try:
        signal.set_wakeup_fd(-1)
        processes.die_with_parent(supervisor)
        first, *others = plans
        place_data(first.data, first.folder, first.user_id)
        for plan in others:
            same_data(first.folder, plan.folder)
        said = _READY
    except Refused as error:
        said = _REFUSED + str(error).encode()
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = error.strerror or os.strerror(error.errno or 0)
        said = (_DISK_FULL if is_full else _BROKEN) + f"the data sets could not be put into place: {why}".encode()
    finally:
        with suppress(OSError):
            os.write(status, said)
        os._exit(0)


def _fork_unpacker(plan: TaskPlan, workdir: str) -> tuple[int, int]:
    """Fork a child that unpacks with the task's rights; return the pipe it reports on, and its pid."""
    archive = os.open(workdir, os.O_RDONLY)
    status_read, status_write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_unpacker(plan, archive, status_write, supervisor)
    os.close(archive)
    os.close(status_write)
    return status_read, pid


def _be_unpacker(plan: TaskPlan, archive: int, status: int, supervisor: int) -> NoReturn:
    said = _BROKEN + b"the workdir could not be unpacked"
    try:
        signal.set_wakeup_fd(-1)
        low, high = sorted((archive, status))
        os.closerange(3, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, 1 << 20)
        os.setsid()
        if plan.user_id is not None:
            os.setgroups([])
            os.setresgid(plan.user_id, plan.user_id, plan.user_id)
            os.setresuid(plan.user_id, plan.user_id, plan.user_id)
        processes.die_with_parent(supervisor)  # after the change of user, which would reset it
        with open(archive, "rb") as file:
            unpack(file, Path(plan.workspace))
        _link_checkpoint(plan)
        _link_data(plan)
        said = _READY
    except Refused as error:
        said = _REFUSED + str(error).encode()
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        text = "the disk is full" if is_full else os.strerror(error.errno or 0)
        said = (_DISK_FULL if is_full else _BROKEN) + b"the workdir could not be unpacked: " + text.encode()
    finally:
        with suppress(OSError):
            os.write(status, said)
        os._exit(0)


def _link_checkpoint(plan: TaskPlan) -> str:
    """Put the job's checkpoint folder at its path; files that the workdir brought there become its first content."""
    link = os.path.join(plan.workspace, plan.checkpoint_path)
    parent = os.path.dirname(link)
    if parent != plan.workspace:
        os.makedirs(parent, exist_ok=True)
        root = os.path.realpath(plan.workspace)
        if not (os.path.realpath(parent) + "/").startswith(root + "/"):
            raise Refused("the checkpoint path leads out of the workspace by a link")
    if os.path.lexists(link):
        if not stat.S_ISDIR(os.lstat(link).st_mode):
            raise Refused("the workdir has a file where the checkpoint folder belongs")
        for name in os.listdir(link):
            target = os.path.join(plan.checkpoint, name)
            if not os.path.lexists(target):
                shutil.move(os.path.join(link, name), target)
        shutil.rmtree(link)
    os.symlink(plan.checkpoint, link)
    return link


def _link_data(plan: TaskPlan) -> list[str]:
    """Put the link to the data sets into the workspace; return what was made."""
    if not plan.data:
        return []
    link = os.path.join(plan.workspace, FOLDER)
    if os.path.lexists(link):
        raise Refused(f"the workdir or the checkpoint path has something named `{FOLDER}`, where the data sets belong")
    os.symlink(f"{plan.folder}/{FOLDER}", link)
    return [link]
