"""Files that survive a crash: written, synced, renamed, with the folder synced too."""

import ctypes
import errno
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

_KEEP_SIZE = 1
_libc = ctypes.CDLL(None, use_errno=True)


def log_error() -> None:
    """Write the error at hand to the agent's log; on a full disk it is not written, and nothing else fails for it."""
    with suppress(OSError):
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(folder: Path) -> None:
    """Make everything on the file system of `folder` durable (syncfs(2)): for thousands of files much faster."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte or raise."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one durable step, readable by the owner only."""
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    sync_folder(path.parent)


def set_aside(fd: int, size: int) -> None:
    """Give an empty file `size` bytes of the disk without making it longer; raise OSError (ENOSPC) without room."""
    if _libc.fallocate(fd, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EOPNOTSUPP, errno.ENOSYS):  # a file system without it: the disk may be full later
        raise OSError(number, os.strerror(number))


def read_file(path: Path) -> bytes | None:
    """Return the bytes of a file, None where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        parts = []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)
