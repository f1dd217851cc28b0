"""Keeps the outputs of an attempt: what the job named, out of its workspaces, with a manifest of SHA-256.

A workspace is hostile ground for a supervisor that runs as root: the job chose every name in it, and another job of the
same project may change it at this moment. So a path only leads to a descriptor, and the descriptor is what is judged
(where it really is, what it is, whose it is) and kept.
"""

import errno
import glob
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

from eisbach.engines.local import durable
from eisbach.engines.local.layout import OUTPUT_BYTES_MAX, OUTPUT_FILES_MAX
from eisbach.ports.engine import Artifact

_CHUNK = 1 << 26
_SYNCED_SINGLY_MAX = 32


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
    *,
    owner: int | None = None,
    bytes_max: int = OUTPUT_BYTES_MAX,
) -> Kept:
    """Put the outputs of all ranks into `target`, durably; raise OSError (ENOSPC) where the disk is full.

    Call it when no process of the attempt is left. Links are followed only inside the workspace or to the job's own
    checkpoint folder, whose files are copied since the next attempt may change them; so are files with further links.
    `owner` is the user whose files alone are taken, None where tasks run as who the engine is.
    """
    try:
        found, left_out = _keep_all(patterns, workspaces, checkpoint, target, owner, bytes_max)
        _sync(target, [target / artifact.path for artifact in found])
    except OSError:
        shutil.rmtree(target, ignore_errors=True)  # without its list it is rubbish, and the disk may be full of it
        raise
    return Kept(sorted(found, key=lambda artifact: artifact.path), left_out)


def _keep_all(
    patterns: Sequence[str],
    workspaces: Sequence[tuple[int, Path]],
    checkpoint: Path,
    target: Path,
    owner: int | None,
    bytes_max: int,
) -> tuple[list[Artifact], str]:
    kept: dict[str, Artifact] = {}
    left_out: dict[str, None] = {}
    named: set[str] = set()
    size_left = bytes_max
    for rank, workspace in workspaces:
        prefix = "" if rank == 0 else f"rank-{rank}/"
        for pattern, name, source in _find(patterns, workspace, checkpoint):
            path = prefix + name
            if path in kept:
                named.add(pattern)
                continue
            if not _is_text(path):
                left_out["outputs whose names are not UTF-8 were not kept"] = None
                continue
            opened = _open(source, workspace, checkpoint, owner)
            if opened is None:
                continue
            named.add(pattern)
            with opened as file:
                size = os.fstat(file.fileno()).st_size
                if len(kept) >= OUTPUT_FILES_MAX or size > size_left:
                    most = f"{bytes_max / 1024**3:g} GiB or {OUTPUT_FILES_MAX:,} files"
                    left_out[f"outputs beyond {most} were not kept"] = None
                    continue
                size_left -= size
                may_link = not _is_in(_place_of(file.fileno()), checkpoint)
                kept[path] = Artifact(path, size, _keep(file, target / path, may_link))
    missing = sum(1 for pattern in patterns if pattern not in named)
    if missing:
        left_out[f"{missing} of {len(patterns)} outputs held no file to keep"] = None
    return list(kept.values()), "; ".join(left_out)


def _sync(target: Path, files: Sequence[Path]) -> None:
    """Make the kept files durable: one by one, or where they are many the whole file system in one step."""
    if len(files) > _SYNCED_SINGLY_MAX:
        durable.sync_file_system(target)
        return
    for file in files:
        durable.sync_file(file)
    for folder, _, _ in os.walk(target):
        durable.sync_folder(Path(folder))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find(patterns: Sequence[str], workspace: Path, checkpoint: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (pattern, relative name, path without links) of what the patterns name and what lies below it."""
    root = str(workspace)
    for pattern in patterns:
        for match in sorted(glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)):
            top = os.path.join(root, match)
            real = os.path.realpath(top)
            if not (_is_in(real, workspace) or _is_in(real, checkpoint) or real == os.path.realpath(checkpoint)):
                continue  # a link that leads out; `/` would take an hour to walk
            for file in _below(top) if os.path.isdir(top) else (top,):
                yield pattern, os.path.relpath(file, root), os.path.realpath(file)


def _below(folder: str) -> Iterator[str]:
    """Yield the files below a folder, not following links to folders further down."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield os.path.join(parent, name)


def _open(source: str, workspace: Path, checkpoint: Path, owner: int | None) -> FileIO | None:
    """Return a regular file of the job's own, None for everything else; nothing is opened before it is known."""
    try:
        fd = os.open(source, os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return None  # gone, or a name that leads nowhere
    try:
        status = os.fstat(fd)
        place = _place_of(fd)
        is_own = owner is None or status.st_uid == owner
        if not (stat.S_ISREG(status.st_mode) and is_own and (_is_in(place, workspace) or _is_in(place, checkpoint))):
            return None
        if owner is None and not status.st_mode & stat.S_IRUSR:
            os.chmod(f"/proc/self/fd/{fd}", 0o600)  # without root, a file that the job closed to itself
        return FileIO(f"/proc/self/fd/{fd}", "r")
    finally:
        os.close(fd)


def _place_of(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def _is_in(path: str, folder: Path) -> bool:
    """Return whether a path without links lies below a folder, which the job itself cannot replace as root's guest."""
    return path.startswith(os.path.realpath(folder.parent) + f"/{folder.name}/")


def _keep(source: FileIO, target: Path, may_link: bool) -> str:
    """Put one file at its place and return its SHA-256."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = source.fileno()
    if may_link and os.fstat(fd).st_nlink == 1 and _link(fd, target):
        os.fchown(fd, os.geteuid(), os.getegid())
        os.fchmod(fd, 0o600)
    else:
        _copy(fd, target)
    source.seek(0)
    return hashlib.file_digest(source, "sha256").hexdigest()


def _link(fd: int, target: Path) -> bool:
    """Give exactly the opened file a second name; return False where the file systems do not allow it."""
    here = os.open("/", os.O_PATH)  # only so that Python uses linkat(2), which follows the name of a descriptor
    try:
        os.link(f"/proc/self/fd/{fd}", target, src_dir_fd=here, follow_symlinks=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    finally:
        os.close(here)
    return True


def _copy(source: int, target: Path) -> None:
    """Copy a file with its holes, so that an empty file of 60 GiB takes no 60 GiB of disk."""
    into = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        size = os.fstat(source).st_size
        os.ftruncate(into, size)
        for start, end in _data_of(source, size):
            os.lseek(into, start, os.SEEK_SET)
            while start < end:
                sent = os.sendfile(into, source, start, min(end - start, _CHUNK))
                if sent == 0:
                    break
                start += sent
    finally:
        os.close(into)


def _data_of(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where a file has data; lseek(2) fails with ENXIO behind the last."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end
