"""The SQL store: one atomic, durable, fenced commit on one write connection, and the reads of reader.py."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection

from eisbach.core.vocabulary.invariant import require
from eisbach.ports.store import KEEPS_ALL, Batch, LeadershipLost, Row, StoreDamaged, StoreUnavailable
from eisbach.stores.continuity import require_consistent_head, require_continuation
from eisbach.stores.sql.failures import failure_of
from eisbach.stores.sql.reader import SqlReader
from eisbach.stores.sql.statements import statements_for

SNAPSHOTS_KEPT = 2

Cursor = Any
"""A cursor of sqlite3 or psycopg: the hot path speaks to the driver, with SQL that SQLAlchemy compiled."""


class SqlStore(SqlReader):
    """Keeps log and rows in one database. Made by opening.open_sqlite and opening.open_postgres."""

    keeps = KEEPS_ALL

    def __init__(self, write_engine: Engine, read_engine: Engine, file: Path | None = None) -> None:
        super().__init__(read_engine, file)
        self._write_engine = write_engine
        self._connection: PoolProxiedConnection | None = None
        self._sql = statements_for(write_engine.dialect.name)

    @property
    def file(self) -> Path | None:
        """SQLite's file, or None with PostgreSQL."""
        return self._file

    def take_leadership(self) -> int:
        """Raise the epoch by one and return it; every commit with an older epoch fails from now on."""
        with self._transaction() as cursor:
            cursor.execute(self._sql.raise_epoch)
            cursor.execute(self._sql.read_epoch)
            return int(cursor.fetchone()[0])

    def commit(self, batch: Batch, epoch: int) -> None:
        """Write the batch atomically and durably; on any exception nothing of it stands in the store."""
        try:
            with self._transaction() as cursor:
                self._write(cursor, batch, epoch)
            if batch.erased and self._file is not None:
                with suppress(self._write_engine.dialect.loaded_dbapi.Error):  # the commit stands, whatever this says
                    self._forget_journal()
        except StoreUnavailable:
            # A connection that broke while COMMIT was under way leaves open what became of it: look.
            if self._file is not None or not batch.events or not self._stands(batch, epoch):
                raise

    def erase_text(self, text_id: str) -> bool:
        """Erase a text and empty the column that shows it; return whether there was one."""
        with self._transaction() as cursor:
            erased = self._erase(cursor, text_id)
        if self._file is not None:
            self._forget_journal()
        return erased

    def close(self) -> None:
        """Let go of the store; SQLite's journal is folded into its file."""
        self._drop_connection()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _write(self, cursor: Cursor, batch: Batch, epoch: int) -> None:
        sql = self._sql
        size = self._require_leadership(cursor, epoch)
        require_continuation(size, batch.events)
        if batch.events:
            cursor.executemany(sql.insert_event, batch.events)
        if batch.subjects:
            cursor.executemany(sql.insert_subject, batch.subjects)
        if batch.tree_nodes:
            nodes = [(node.level, node.index, node.digest) for node in batch.tree_nodes]
            cursor.executemany(sql.insert_tree_node, nodes)
        for table, rows in batch.inserts.items():
            self._insert(cursor, table, rows)
        for table, changes in batch.updates.items():
            self._update(cursor, table, changes)
        if batch.texts:
            cursor.executemany(sql.put_text, [(text.id, text.salt, text.content) for text in batch.texts])
        for text_id in batch.erased:
            self._erase(cursor, text_id)
        if batch.replies_kept_from_ms is not None:
            cursor.execute(sql.delete_replies, (batch.replies_kept_from_ms,))
        for reply in batch.replies:
            content = (reply.scope, reply.key, reply.body_digest, reply.at_ms, reply.status, reply.content)
            cursor.execute(sql.insert_reply, content)
        if batch.head is not None:
            self._put_head(cursor, *batch.head, size + len(batch.events))
        if batch.snapshot is not None:
            self._put_snapshot(cursor, *batch.snapshot)

    def _erase(self, cursor: Cursor, text_id: str) -> bool:
        object_id, _, what = text_id.rpartition("/")
        for column, sql in self._sql.empty_text_column.values():
            if column == what:
                cursor.execute(sql, ("", object_id))
        cursor.execute(self._sql.delete_text, (text_id,))
        return bool(cursor.rowcount)

    def _require_leadership(self, cursor: Cursor, epoch: int) -> int:
        """Hold the leader's row until the commit ends (BEGIN IMMEDIATE does with SQLite); return the log's size."""
        cursor.execute(self._sql.check_epoch, (epoch,))
        found = cursor.fetchone()
        if found is None:
            cursor.execute(self._sql.read_epoch)
            raise LeadershipLost(f"epoch {epoch} is over: {cursor.fetchone()[0]} stands in the store")
        return 0 if found[1] is None else int(found[1]) + 1

    def _insert(self, cursor: Cursor, table: str, rows: dict[str, Row]) -> None:
        into = self._sql.inserts[table]
        complete = all(len(row) == into.columns for row in rows.values())
        require(complete, f"a new row of {table} has {into.columns} columns")
        cursor.executemany(into.sql, [into.pick(row) for row in rows.values()])

    def _update(self, cursor: Cursor, table: str, changes: dict[str, Row]) -> None:
        groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for key, row in changes.items():
            groups.setdefault(tuple(row), []).append((*row.values(), key))
        for columns, values in groups.items():
            cursor.executemany(self._sql.update(table, columns), values)
            if cursor.rowcount != len(values):
                raise StoreDamaged(f"{table} lacks a row to update, one of {', '.join(sorted(changes)[:5])}")

    def _put_head(self, cursor: Cursor, size: int, note: str, log_size: int) -> None:
        cursor.execute(self._sql.read_head, (size,))
        known = cursor.fetchone()
        require_consistent_head(size, note, known[0] if known else None, log_size)
        cursor.execute(self._sql.put_head, (size, note))

    def _put_snapshot(self, cursor: Cursor, seq: int, state: bytes) -> None:
        cursor.execute(self._sql.delete_snapshot, (seq,))
        cursor.execute(self._sql.insert_snapshot, (seq, state))
        cursor.execute(self._sql.read_snapshots)
        for (old,) in cursor.fetchall()[SNAPSHOTS_KEPT:]:
            cursor.execute(self._sql.delete_snapshot, (old,))

    def _stands(self, batch: Batch, epoch: int) -> bool:
        """Whether the batch is in the store after all. Raise StoreUnavailable where nobody can tell yet."""
        last = batch.events[-1]
        with self._transaction() as cursor:
            cursor.execute(self._sql.lock_leader)  # waits until the server has ended the broken transaction
            cursor.execute(self._sql.read_leaf, (last.seq,))
            found = cursor.fetchone()
        return found is not None and bytes(found[0]) == last.leaf

    def _forget_journal(self) -> None:
        """Fold SQLite's journal into the file and cut it to nothing, so that it holds no erased text either.

        A reader in the midst of a query can keep it from being cut; then later commits overwrite it.
        """
        connection = self._writer()
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        try:
            cursor = self._writer().cursor()
            cursor.execute(self._sql.begin)
            yield cursor
            cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            failure = failure_of(error, self._file)
            if failure is None:
                raise
            raise failure from error

    def _writer(self) -> PoolProxiedConnection:
        if self._connection is None:
            self._connection = self._write_engine.raw_connection()
        return self._connection

    def _roll_back(self) -> None:
        """End the transaction, if there is one; a connection on which that fails is replaced by a new one."""
        driver = self._connection.driver_connection if self._connection is not None else None
        if driver is None or getattr(driver, "broken", False) or getattr(driver, "closed", False):
            self._drop_connection()
            return
        try:
            driver.rollback()  # what is rolled back already, as SQLite does when its disk is full, stays so
        except self._write_engine.dialect.loaded_dbapi.Error:
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = None
