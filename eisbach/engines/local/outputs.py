"""Keeps the outputs of an attempt: what the job named, out of its workspaces, with a manifest of SHA-256."""

import errno
import glob
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eisbach.engines.local import durable
from eisbach.engines.local.layout import OUTPUT_BYTES_MAX, OUTPUT_FILES_MAX
from eisbach.ports.engine import Artifact


@dataclass(frozen=True, slots=True)
class Kept:
    """The manifest, and a sentence about what was not kept (empty where all was)."""

    artifacts: list[Artifact]
    left_out: str = ""


def are_inside(patterns: Sequence[str]) -> bool:
    """Return whether every pattern stays in the workspace by its form."""
    return all(p and not p.startswith("/") and ".." not in PurePosixPath(p).parts and "\0" not in p for p in patterns)


def keep_outputs(
    patterns: Sequence[str],
    workspaces: Sequence[tuple[int, Path]],
    checkpoint: Path,
    target: Path,
    bytes_max: int = OUTPUT_BYTES_MAX,
) -> Kept:
    """Move the outputs of all ranks to `target`, durably; raise OSError (ENOSPC) where the disk is full.

    Call it when no process of the job is left. Links are followed only inside the workspace or to the job's own
    checkpoint folder, whose files are copied since the next attempt may change them.
    """
    kept: dict[str, Artifact] = {}
    left_out = ""
    size_left = bytes_max
    for rank, workspace in workspaces:
        prefix = "" if rank == 0 else f"rank-{rank}/"
        for name, source, may_move in _find(patterns, workspace, checkpoint):
            path = prefix + name
            size = os.stat(source).st_size
            if path in kept:
                continue
            if len(kept) >= OUTPUT_FILES_MAX or size > size_left:
                left_out = f"outputs beyond {bytes_max / 1024**3:g} GiB or {OUTPUT_FILES_MAX:,} files were not kept"
                continue
            size_left -= size
            kept[path] = Artifact(path, size, _keep(source, target / path, may_move))
    for folder, _, _ in os.walk(target):
        durable.sync_folder(Path(folder))
    return Kept(sorted(kept.values(), key=lambda artifact: artifact.path), left_out)


def _find(patterns: Sequence[str], workspace: Path, checkpoint: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield (relative name, real path, may be moved) of each regular file that the patterns name."""
    root = os.path.realpath(workspace)
    saved = os.path.realpath(checkpoint)
    for pattern in patterns:
        for match in sorted(glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)):
            top = os.path.join(root, match)
            files = _below(top) if os.path.isdir(top) else iter([top])
            for file in files:
                real = os.path.realpath(file)
                in_workspace = real.startswith(root + "/")
                if not in_workspace and not real.startswith(saved + "/"):
                    continue
                status = os.lstat(real) if os.path.lexists(real) else None
                if status is None or not stat.S_ISREG(status.st_mode):
                    continue
                may_move = in_workspace and status.st_nlink == 1 and real == file
                yield os.path.relpath(file, root), real, may_move


def _below(folder: str) -> Iterator[str]:
    """Yield the files below a folder, not following links to folders further down."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield os.path.join(parent, name)


def _keep(source: str, target: Path, may_move: bool) -> str:
    """Put one file at its place, durably, and return its SHA-256."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if not may_move:
            raise OSError(errno.EXDEV, "shared")
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)
    os.chown(target, os.geteuid(), os.getegid())
    os.chmod(target, 0o600)
    with open(target, "rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
