"""Where SQLite's file may lie, and whether it is sound: checked before a server trusts it."""

import os
import re
import sqlite3
import time
from pathlib import Path

from eisbach.ports.store import StoreDamaged, StoreUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.ceph",
        "fuse.ceph-fuse",
        "fuse.curlftpfs",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.juicefs",
        "fuse.mfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.seaweedfs",
        "fuse.smbnetfs",
        "fuse.sshfs",
        "fuse.weed",
        "glusterfs",
        "gfs",
        "gfs2",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
    ]
)
"""Locks and shared memory of one machine are not seen by another there, and WAL needs both."""

MOUNT_TABLE = Path("/proc/self/mountinfo")
QUICK_CHECK_S = 5.0
_STEPS_BETWEEN_LOOKS = 20_000


def require_local_home(path: Path, mount_table: str | None = None) -> None:
    """Raise StoreUnavailable unless the file may lie there: a writable folder on a file system of this machine.

    `mount_table` is the text of /proc/self/mountinfo; by default the machine's own.
    """
    home = path.parent
    if not home.is_dir():
        raise StoreUnavailable(f"there is no folder {home} for the store; create it or name another home")
    if not os.access(home, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise StoreUnavailable(f"the store {path} is not writable for this user; change its owner or name another home")
    if mount_table is None:
        mount_table = MOUNT_TABLE.read_text() if MOUNT_TABLE.exists() else ""
    found = file_system_of(Path(os.path.realpath(path)), mount_table)
    if found and found[0] in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"the store {path} would lie on a network file system ({found[0]} at {found[1]}), where SQLite loses data;"
            " name a home on a local disk, or use PostgreSQL"
        )


def file_system_of(path: Path, mount_table: str) -> tuple[str, str] | None:
    """Return (type, mount point) of the file system that holds an absolute path (proc_pid_mountinfo(5)), or None."""
    best: tuple[str, str] | None = None
    for line in mount_table.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) < 5 or not rest:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if path.is_relative_to(point) and (best is None or len(point) >= len(best[1])):
            best = (rest[0], point)
    return best


def require_sound(connection: sqlite3.Connection, path: Path, budget_s: float = QUICK_CHECK_S) -> bool:
    """Run SQLite's quick_check. Raise StoreDamaged where it finds something.

    Return whether it came to the end: a big file is looked at for `budget_s` only, `db check` does it all.
    """
    deadline = time.monotonic() + budget_s
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    try:
        found = [str(line) for (line,) in connection.execute("PRAGMA quick_check(10)")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return False
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamaged(f"the store {path} is damaged: {error}; restore a backup") from error
        raise StoreUnavailable(f"the store {path} cannot be checked now: {error}") from error
    finally:
        connection.set_progress_handler(None, 0)
    if found != ["ok"]:
        raise StoreDamaged(f"the store {path} is damaged: {'; '.join(found)}; restore a backup")
    return True
