"""Files that survive a crash: written, synced, renamed, with the folder synced too."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte or raise."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Replace `path` by `data` in one step, readable by the owner only."""
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, data)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    if durable:
        sync_folder(path.parent)


def reserve(path: Path, size: int) -> None:
    """Set `size` bytes of the disk aside for a later `write_reserved`; raise OSError (ENOSPC) where there is no room."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def write_reserved(reserved: Path, path: Path, data: bytes) -> None:
    """Write `data` into the reserved file and rename it to `path`, durably, so that a full disk does not matter."""
    fd = os.open(reserved, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        write_all(fd, data)
        os.ftruncate(fd, len(data))
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(reserved, path)
    sync_folder(path.parent)


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
