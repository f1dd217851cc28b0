"""Unpacks a job's working directory, a tenant's archive: nothing outside the workspace, no devices, bounded."""

import bz2  # noqa: F401 - tarfile imports these three late, when a tenant's rights may not reach the library any more
import gzip  # noqa: F401
import lzma
import os
import posixpath
import resource
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

from eisbach.engines.local.layout import ARCHIVE_BYTES_MAX, ARCHIVE_ENTRIES_MAX

_MEMORY_MAX = 1024**3
_CHUNK = 1 << 20


class Refused(Exception):
    """The request is at fault; the message is one sentence without a tenant's text."""


def unpack(file: BinaryIO, workspace: Path, bytes_max: int = ARCHIVE_BYTES_MAX) -> None:
    """Unpack a tar archive (plain, gzip, bzip2, xz) below `workspace`; raise Refused, or OSError of the disk.

    Call it with the job's own privileges. Entries: files, folders, links that stay inside; everything else is refused.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, hard))  # a header may ask for gigabytes
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            _unpack_all(archive, workspace, bytes_max)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as error:
        raise Refused("the workdir is not a tar archive that can be read to its end") from error
    except MemoryError as error:
        raise Refused("the workdir archive needs more than 1 GiB of memory to be read") from error
    except OSError as error:
        if error.errno is None:  # bz2 and gzip say so for damaged data
            raise Refused("the workdir is not a tar archive that can be read to its end") from error
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _unpack_all(archive: tarfile.TarFile, workspace: Path, bytes_max: int) -> None:
    root = os.path.realpath(workspace)
    left = bytes_max
    for number, member in enumerate(archive, start=1):
        if number > ARCHIVE_ENTRIES_MAX:
            raise Refused(f"the workdir archive has more than {ARCHIVE_ENTRIES_MAX:,} entries")
        left -= max(member.size, 0)
        if left < 0:
            raise Refused(f"the workdir archive is larger than {bytes_max / 1024**3:g} GiB unpacked")
        _unpack_one(archive, member, root, number)
        archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every header in memory


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, root: str, number: int) -> None:
    name = _inside(member.name, number)
    if name == ".":
        return
    target = os.path.join(root, name)
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    real = os.path.realpath(parent)
    if real != root and not real.startswith(root + "/"):
        raise Refused(f"entry {number} of the workdir archive leads out of the workspace by a link")
    if member.isdir():
        os.makedirs(target, exist_ok=True)
        return
    if os.path.lexists(target):
        if os.path.isdir(target) and not os.path.islink(target):
            raise Refused(f"entry {number} of the workdir archive is both a folder and a file")
        os.unlink(target)
    if member.issym():
        _inside(posixpath.join(posixpath.dirname(name), member.linkname), number)
        os.symlink(member.linkname, target)
    elif member.islnk():
        source = os.path.realpath(os.path.join(root, _inside(member.linkname, number)))
        if not source.startswith(root + "/") or not os.path.isfile(source):
            raise Refused(f"entry {number} of the workdir archive links to nothing inside of it")
        os.link(source, target, follow_symlinks=False)
    elif member.isreg():
        _write(archive, member, target)
    else:
        raise Refused(f"entry {number} of the workdir archive is a device or a pipe")


def _inside(name: str, number: int) -> str:
    """Return the normalised relative path; raise Refused for an absolute one or one that climbs out."""
    if name.startswith("/"):
        raise Refused(f"entry {number} of the workdir archive has an absolute path")
    normal = posixpath.normpath(name)
    if normal == ".." or normal.startswith("../") or "\0" in name:
        raise Refused(f"entry {number} of the workdir archive leads out of the workspace with '..'")
    return normal


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    source = archive.extractfile(member)
    if source is None:
        raise Refused("the workdir is not a tar archive that can be read to its end")
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, (member.mode & 0o700) | 0o600)
    with open(fd, "wb", buffering=0) as file:
        while data := source.read(_CHUNK):
            file.write(data)
    changed = min(max(member.mtime, 0), 1 << 33)
    os.utime(target, (changed, changed))
