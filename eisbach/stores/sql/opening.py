"""Open a store: SQLite in a file of its own, or PostgreSQL behind a URL. Both check, migrate and hand out a SqlStore."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from eisbach.ports.store import StoreUnavailable
from eisbach.stores.sql.backup import copy_file
from eisbach.stores.sql.failures import failure_of
from eisbach.stores.sql.migrate import migrate, newest_revision, revision_of
from eisbach.stores.sql.reader import SqlReader
from eisbach.stores.sql.sqlite_home import require_local_home, require_sound
from eisbach.stores.sql.store import SqlStore

READERS_KEPT = 8
READERS_MAX = 64
BUSY_TIMEOUT_MS = 10_000
PATIENCE_MS = 5_000
CHECKPOINT_PAGES = 4_000
WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024

_PRAGMAS = (
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA secure_delete=ON",  # an erased text leaves no bytes in free pages
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"PRAGMA journal_size_limit={CHECKPOINT_PAGES * 4096}",
)


def open_sqlite(path: Path, *, mount_table: str | None = None) -> SqlStore:
    """Open the store in a file, made (mode 0600) or migrated (after a copy of it) as needed.

    Raise StoreUnavailable where the place is unfit, NewerStore and StoreDamaged with the file left as it is.
    `mount_table` replaces the text of /proc/self/mountinfo.
    """
    path = Path(os.path.abspath(path))
    require_local_home(path, mount_table)
    if path.exists() and path.stat().st_size:
        _check_before_touching(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    writer = _sqlite_engine(path, read_only=False)
    try:
        with writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            migrate(connection)
    except BaseException as error:
        writer.dispose()
        failure = failure_of(error, path)
        if failure is None:
            raise
        raise failure from error
    return SqlStore(writer, _sqlite_engine(path, read_only=True), path)


@contextmanager
def read_sqlite(path: Path) -> Iterator[SqlReader]:
    """Open the committed rows of a store in a file for looking only; a server may write to it meanwhile.

    Nothing is made, migrated or repaired. Raise StoreUnavailable where there is none, or where its schema is another one.
    """
    path = Path(os.path.abspath(path))
    if not path.is_file():
        raise StoreUnavailable(f"there is no store in {path.parent}")
    engine = _sqlite_engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            revision = revision_of(connection)
        if revision != newest_revision():
            raise StoreUnavailable(f"{path} has the schema {revision}, this program reads {newest_revision()}: start its server once with it")
        yield SqlReader(engine, path)
    except SQLAlchemyError as error:
        failure = failure_of(error, path)
        if failure is None:
            raise
        raise failure from error
    finally:
        engine.dispose()


def open_postgres(url: str, *, patience_ms: int = PATIENCE_MS) -> SqlStore:
    """Open the store in a PostgreSQL database (postgresql://user@host/database), migrated as needed.

    A leader that pauses in the midst of a commit for longer than `patience_ms` loses it, so that another can take over.
    Raise StoreUnavailable where it cannot be reached, NewerStore with the database left as it is.
    """
    writer = _postgres_engine(url, patience_ms, read_only=False)
    try:
        with writer.connect() as connection:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
            if encoding != "UTF8":
                raise StoreUnavailable(f"the database has the encoding {encoding}; create one with ENCODING 'UTF8'")
            migrate(connection)
    except BaseException as error:
        writer.dispose()
        failure = failure_of(error, None)
        if failure is None:
            raise
        raise failure from error
    return SqlStore(writer, _postgres_engine(url, patience_ms, read_only=True))


def _check_before_touching(path: Path) -> None:
    """Check an existing file on a connection that cannot write, and copy it where it will be migrated."""
    checking = create_engine("sqlite://", creator=lambda: _read_only(path), poolclass=NullPool)
    try:
        with checking.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            require_sound(raw, path)
            revision = revision_of(connection)
    except SQLAlchemyError as error:
        failure = failure_of(error, path)
        if failure is None:
            raise
        raise failure from error
    if revision is not None and revision != newest_revision():
        copy_file(path, path.with_name(f"{path.name}.before-{newest_revision()}-{int(time.time())}"))


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1000)


def _sqlite_engine(path: Path, *, read_only: bool) -> Engine:
    """One connection that writes, or a pool of connections that cannot."""
    connect_args = {"check_same_thread": False, "cached_statements": 512, "timeout": BUSY_TIMEOUT_MS / 1000}
    engine = create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        connect_args=connect_args,
        poolclass=QueuePool,
        pool_size=READERS_KEPT if read_only else 1,
        max_overflow=READERS_MAX - READERS_KEPT if read_only else 0,
        skip_autocommit_rollback=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in _PRAGMAS:
                cursor.execute(pragma)
            cursor.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB if read_only else WRITER_CACHE_KIB}")
            if read_only:
                cursor.execute("PRAGMA query_only=ON")

    return engine


def _postgres_engine(url: str, patience_ms: int, *, read_only: bool) -> Engine:
    """One connection that writes, or a pool of connections that cannot."""
    settings = [f"-c lock_timeout={3 * patience_ms}", "-c synchronous_commit=on"]
    if read_only:
        settings.append("-c default_transaction_read_only=on")
    else:
        settings.append(f"-c idle_in_transaction_session_timeout={patience_ms}")
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 10, "options": " ".join(settings), "application_name": "eisbach"},
        pool_size=READERS_KEPT if read_only else 1,
        max_overflow=READERS_MAX - READERS_KEPT if read_only else 0,
        skip_autocommit_rollback=True,
    )
