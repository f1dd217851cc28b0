"""A consistent copy of the database while the server writes."""

import os
import sqlite3
from pathlib import Path

from eisbach.ports.store import StoreDamaged, StoreUnavailable
from eisbach.stores.sql.failures import failure_of
from eisbach.stores.sql.store import SqlStore


class BackupRefused(Exception):
    """The database is not backed up by this program; the message says by what."""


def backup_database(store: SqlStore, to: Path) -> None:
    """Write a copy of the store's database to a new file (mode 0600), complete and on disk when this returns.

    Raise BackupRefused for PostgreSQL, FileExistsError where `to` exists, StoreFull, StoreUnavailable or StoreDamaged.
    """
    if store.file is None:
        raise BackupRefused(
            "the store is in PostgreSQL: back it up with `pg_dump --format=custom` and restore it with `pg_restore`"
        )
    copy_file(store.file, to)


def copy_file(file: Path, to: Path) -> None:
    """Copy an SQLite database that others may be writing. Nothing is left at `to` when it fails."""
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _copy(file, to)
    except BaseException as error:
        for name in (
            to,
            to.with_name(f"{to.name}-wal"),
            to.with_name(f"{to.name}-shm"),
            to.with_name(f"{to.name}-journal"),
        ):
            name.unlink(missing_ok=True)
        failure = failure_of(error, to)
        if failure is None:
            raise
        raise failure from error


def _copy(file: Path, to: Path) -> None:
    if not file.exists():
        raise StoreUnavailable(f"there is no store {file}")
    source = sqlite3.connect(file, timeout=10)
    try:
        target = sqlite3.connect(to, isolation_level=None)
        try:
            source.backup(target)  # all pages in one step: one read transaction, which no writer of WAL waits for
            target.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file holds everything
            if target.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise StoreDamaged(f"the copy {to} of the store is damaged; look at both disks")
        finally:
            target.close()
    finally:
        source.close()
    for name in (to, to.parent):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
