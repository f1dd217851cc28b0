"""What a database's error means for the application: full, unavailable or damaged."""

import re
import shutil
import sqlite3
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from eisbach.ports.store import StoreDamaged, StoreFull, StoreUnavailable

FREE_BYTES_MIN = 1 << 20
"""Below this, a failed write is put down to the full disk."""

_DAMAGE = (
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
_LACKS_ITS_SCHEMA = re.compile(
    r"no such (table|column|index)|table \S+ (already exists|has )|malformed database schema"
)
_INVALID_TRANSACTION_STATE = "25"
"""Class of SQLSTATEs: the transaction was ended for idling, or the server became a read-only standby."""


def failure_of(error: BaseException, file: Path | None) -> Exception | None:
    """Return the store's exception for a driver's error, or None where the error is the program's own.

    `file` is SQLite's file: after a failed write its disk is asked whether it is full.
    """
    if isinstance(error, DBAPIError) and error.orig is not None:
        return failure_of(error.orig, file)
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"all connections to the store are busy: {error}")
    if isinstance(error, sqlite3.Error):
        return _sqlite_failure(error, file)
    if isinstance(error, psycopg.Error):
        return _postgres_failure(error)
    return None


def _sqlite_failure(error: sqlite3.Error, file: Path | None) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", None)
    where = f"the store {file}" if file else "the store"
    if code is None and "decode" in str(error):  # sqlite3's own complaint about a text that is not UTF-8
        return StoreDamaged(f"{where} is damaged: {error}")
    if code == sqlite3.SQLITE_ERROR and _LACKS_ITS_SCHEMA.match(str(error)):
        return StoreDamaged(f"{where} is damaged: its tables are not those of its schema: {error}")
    match code and code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"the disk under {where} is full")
        case sqlite3.SQLITE_IOERR if _is_full(file):
            return StoreFull(f"the disk under {where} is full: {error}")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(f"{where} is damaged: {error}")
        case sqlite3.SQLITE_CONSTRAINT:
            return StoreDamaged(f"{where} already holds other content: {error}")
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_BUSY
            | sqlite3.SQLITE_LOCKED
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_PROTOCOL
            | sqlite3.SQLITE_INTERRUPT
        ):
            return StoreUnavailable(f"{where} cannot be used now: {error}")
    return None


def _is_full(file: Path | None) -> bool:
    return file is not None and shutil.disk_usage(file.parent).free < FREE_BYTES_MIN


def _postgres_failure(error: psycopg.Error) -> Exception | None:
    if isinstance(error, psycopg.errors.DiskFull):
        return StoreFull(f"the disk under PostgreSQL is full: {error}")
    if isinstance(error, psycopg.IntegrityError):
        return StoreDamaged(f"the store already holds other content: {error}")
    if isinstance(error, _DAMAGE):
        return StoreDamaged(f"the store is damaged: {error}")
    is_state_of_session = (error.sqlstate or "").startswith(_INVALID_TRANSACTION_STATE)
    if is_state_of_session or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreUnavailable(f"PostgreSQL cannot be used now: {error}")
    return None
