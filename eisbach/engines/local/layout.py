"""Where the local engine keeps what, under its home and its scratch space; every path is made here.

    HOME/agent/       socket  report  lock  log  epoch  uids.json          of the resident agent
    HOME/attempts/ID/ journal  stop  artifacts  log/                        attempts not yet forgotten
    HOME/ended/ID/    the same, moved there by forget(): logs stay, and the folder is the tombstone of the id
    HOME/ended/ID/log-deleted                                               all that is left there after expiry
    HOME/jobs/JOB/artifacts/ID/                                             kept outputs
    SCRATCH/attempts/ID.RANK/ work/  tmp/  run.sh                           workspaces, gone after the end
    SCRATCH/checkpoints/JOB/                                                one folder for all attempts of a job
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

FORMAT_VERSION = 1
"""Version of every file in an attempt folder."""

LOG_BYTES_MAX = 64 * 1024 * 1024
OUTPUT_BYTES_MAX = 64 * 1024**3
OUTPUT_FILES_MAX = 100_000
ARCHIVE_BYTES_MAX = 2 * 1024**3
ARCHIVE_ENTRIES_MAX = 200_000
PROCESSES_MAX = 4096
GANG_GRACE_MS_MAX = 5_000
PORTS = range(20_000, 32_000)
"""Ports for MASTER_PORT: below what Linux hands out by itself (32768 and up)."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one engine."""

    home: Path
    scratch: Path

    @property
    def agent(self) -> Path:
        """Return the folder of the agent's own files."""
        return self.home / "agent"

    @property
    def attempts(self) -> Path:
        """Return the folder of the attempts that were not forgotten."""
        return self.home / "attempts"

    @property
    def ended(self) -> Path:
        """Return the folder of the forgotten attempts."""
        return self.home / "ended"

    def attempt(self, attempt_id: str) -> Path:
        """Return the folder of an attempt that was not forgotten."""
        return self.attempts / checked_name(attempt_id)

    def find_attempt(self, attempt_id: str) -> Path | None:
        """Return the folder of an attempt, forgotten or not, or None."""
        name = checked_name(attempt_id)
        for parent in (self.attempts, self.ended, self.attempts):  # it may move between two looks
            if (parent / name).is_dir():
                return parent / name
        return None

    def workplace(self, attempt_id: str, rank: int) -> Path:
        """Return the scratch folder of one task."""
        return self.scratch / "attempts" / f"{checked_name(attempt_id)}.{rank}"

    def workplaces(self, attempt_id: str) -> str:
        """Return how the scratch folders of all tasks of an attempt begin."""
        return f"{self.scratch / 'attempts' / checked_name(attempt_id)}."

    def checkpoint(self, job_id: str) -> Path:
        """Return the folder that a job finds again in each of its attempts."""
        return self.checkpoints / checked_name(job_id)

    def artifacts(self, job_id: str, attempt_id: str) -> Path:
        """Return the folder of an attempt's kept outputs."""
        return self.jobs / checked_name(job_id) / "artifacts" / checked_name(attempt_id)

    @property
    def checkpoints(self) -> Path:
        """Return the folder of all jobs' checkpoints."""
        return self.scratch / "checkpoints"

    @property
    def jobs(self) -> Path:
        """Return the folder of all jobs' kept outputs."""
        return self.home / "jobs"

    @property
    def group_prefix(self) -> str:
        """Return how the cgroups of this engine are named; other engines on this machine have other homes."""
        return f"eisbach-{_digest(self.home)}-"

    def make(self) -> None:
        """Create the folders that are always there."""
        for folder in (self.home, self.agent, self.attempts, self.ended, self.jobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def is_safe_name(name: str) -> bool:
    """Return whether a name can be an id of an attempt or job."""
    return _SAFE_NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """Return an id that is safe as the name of a folder; raise ValueError for any other."""
    if not is_safe_name(name):
        raise ValueError("an id of an attempt or job has only letters, digits, '_', '-' and '.', at most 128")
    return name


def first_closed_folder(path: Path) -> Path | None:
    """Return the topmost part of `path` that other users cannot pass through, or None."""
    for part in [*reversed(path.parents), path]:
        try:
            if not os.stat(part).st_mode & 0o001:
                return part
        except FileNotFoundError:
            return None
    return None


SCRATCH_ROOT = Path("/var/lib/eisbach")
"""Where workspaces lie when jobs run under user ids of their own and neither the home nor its parent lets them in."""


def choose_scratch(home: Path, separate_users: bool, root: Path = SCRATCH_ROOT) -> Path:
    """Return where workspaces lie: in the home; beside it where other users could not reach in; else below `root`."""
    if not separate_users or first_closed_folder(home) is None:
        return home / "scratch"
    if first_closed_folder(home.parent) is None:
        return home.with_name(f"{home.name}.scratch")
    return root / f"scratch-{_digest(home)}"


def _digest(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:16]


def make_scratch(scratch: Path, separate_users: bool) -> None:
    """Create the scratch folders; raise PermissionError where somebody else owns what lies there."""
    mode = 0o711 if separate_users else 0o700
    for folder in (scratch, scratch / "attempts", scratch / "checkpoints"):
        if not folder.parent.is_dir():
            folder.parent.mkdir(parents=True)
            os.chmod(folder.parent, 0o711)  # the process's umask would close it to the users of the jobs
        folder.mkdir(mode=mode, exist_ok=True)
        status = os.lstat(folder)
        if status.st_uid != os.geteuid() or not os.path.isdir(folder) or os.path.islink(folder):
            raise PermissionError(f"{folder} must be a folder of the user who runs Eisbach; remove it")
        os.chmod(folder, mode)
