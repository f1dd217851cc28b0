"""What ended jobs left is deleted: checkpoints, outputs, logs. Attempts that were not forgotten keep all that is theirs.

Every folder deleted here lies in a folder of the engine's own, so nobody can put a link in its place; what lies in it
may be a tenant's. It is deleted by rm(1), which follows no link, goes down any depth, and takes its descriptors and
its time from no server. A folder's age is its change time (ctime), the one time that tenants cannot set back or forth
at will; how old a job is, the caller knows better.
"""

import logging
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from eisbach.engines.local.folder import AttemptFolder
from eisbach.engines.local.layout import Layout, is_safe_name
from eisbach.ports.engine import IsOver, Remains

log = logging.getLogger("eisbach.expiry")


def expire(layout: Layout, kind: Remains, is_over: IsOver) -> int:
    """Delete what of this kind is kept of jobs that are over; return how many folders went."""
    match kind:
        case Remains.CHECKPOINTS:
            return _expire_checkpoints(layout, is_over)
        case Remains.OUTPUTS:
            return _expire_outputs(layout, is_over)
        case Remains.LOGS:
            return _expire_logs(layout, is_over)


def _expire_checkpoints(layout: Layout, is_over: IsOver) -> int:
    present = list(_folders(layout.checkpoints))
    busy = _busy_jobs(layout)  # after the list: what is not on it began later and is not deleted
    gone = [_delete(path) for path in present if path.name not in busy and is_over(path.name, _changed_ms(path))]
    return sum(gone)


def _expire_outputs(layout: Layout, is_over: IsOver) -> int:
    count = 0
    for job in _folders(layout.jobs):
        before = count
        for outputs in _folders(job / "artifacts"):
            ended = layout.ended / outputs.name
            if not ended.is_dir() or not is_over(job.name, _changed_ms(outputs)):
                continue
            AttemptFolder(ended).forget_artifacts()  # first: what is listed must be there
            count += _delete(outputs)
        if count > before:  # only then: a supervisor may just have made the folders of a job that goes on
            with suppress(OSError):  # not empty
                os.rmdir(job / "artifacts")
                os.rmdir(job)
    return count


def _expire_logs(layout: Layout, is_over: IsOver) -> int:
    count = 0
    for path in _folders(layout.ended):
        folder = AttemptFolder(path)
        if folder.is_emptied:
            continue
        order_file = folder.read().order
        if order_file is None or not is_over(order_file.order.job_id, _changed_ms(path)):
            continue
        if folder.log.is_dir():
            folder.mark_log_deleted()
            count += _delete(folder.log)
        if not folder.log.exists() and not layout.artifacts(order_file.order.job_id, path.name).exists():
            folder.empty()
    return count


def _busy_jobs(layout: Layout) -> set[str]:
    """Return the jobs of attempts that were not forgotten."""
    orders = (AttemptFolder(path).read().order for path in _folders(layout.attempts))
    return {order_file.order.job_id for order_file in orders if order_file is not None}


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the real folders in a folder whose names can be ids, in order; links and all else are left alone."""
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(parent)):
            if is_safe_name(name):
                with suppress(FileNotFoundError):
                    if stat.S_ISDIR(os.lstat(parent / name).st_mode):
                        yield parent / name


def _changed_ms(path: Path) -> int:
    return os.lstat(path).st_ctime_ns // 1_000_000


def _delete(folder: Path) -> bool:
    """Delete a folder with all in it; return whether it is gone. What is in the way is logged."""
    command = ["rm", "-rf", "--", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        log.warning("%s could not be deleted, that is tried again: %s", folder, lines[0] if lines else done.returncode)
    return done.returncode == 0
