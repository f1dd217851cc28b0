"""Reads of the SQL store: from any thread, each on its own connection of a pool that cannot write."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, Executable, Table, bindparam, cast, func, select
from sqlalchemy import text as literal_sql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from eisbach.app.projections import PRIMARY_KEYS
from eisbach.core.log.event import SealedEvent
from eisbach.ports.store import Page, Reply, Row, StoreDamaged, StoreUnavailable, Text
from eisbach.stores.sql import schema
from eisbach.stores.sql.failures import failure_of
from eisbach.stores.sql.statements import checked_column

_ROW = {
    name: select(table).where(table.c[PRIMARY_KEYS[name]] == bindparam("key"))
    for name, table in schema.PROJECTIONS.items()
}
_COLUMNS = {name: tuple(column.name for column in table.c) for name, table in schema.PROJECTIONS.items()}
_events, _subjects = schema.events, schema.subjects
_TEXT = select(schema.texts).where(schema.texts.c.id == bindparam("id"))
_EVENTS = (
    select(_events).where(_events.c.seq > bindparam("after_seq")).order_by(_events.c.seq).limit(bindparam("count"))
)
_EVENTS_OF = (
    select(_events)
    .join(_subjects, _subjects.c.seq == _events.c.seq)
    .where(_subjects.c.subject == bindparam("subject"), _subjects.c.seq > bindparam("after_seq"))
    .order_by(_subjects.c.seq)
    .limit(bindparam("count"))
)
_LOG_SIZE = select(func.max(_events.c.seq))
_NODE = select(schema.tree_nodes.c.digest).where(
    schema.tree_nodes.c.level == bindparam("level"), schema.tree_nodes.c.idx == bindparam("idx")
)
_NODES = (
    select(schema.tree_nodes.c.idx, schema.tree_nodes.c.digest)
    .where(schema.tree_nodes.c.level == bindparam("level"), schema.tree_nodes.c.idx >= bindparam("first"))
    .order_by(schema.tree_nodes.c.idx)
    .limit(bindparam("count"))
)
_REPLY = select(schema.replies).where(
    schema.replies.c.scope == bindparam("scope"), schema.replies.c.key == bindparam("key")
)
_HEAD = select(schema.heads).where(schema.heads.c.size == bindparam("size"))
_HEADS = select(schema.heads).order_by(schema.heads.c.size.desc()).limit(bindparam("count"))
_INTEGRITY = literal_sql("PRAGMA integrity_check(100)")
_SNAPSHOT = select(schema.snapshots).order_by(schema.snapshots.c.seq.desc()).limit(1)


class SqlReader:
    """Reads committed rows."""

    def __init__(self, read_engine: Engine, file: Path | None) -> None:
        self._read_engine = read_engine
        self._file = file

    def row(self, table: str, key: str) -> Row | None:
        """Return a row by its primary key, or None."""
        found = self._read(_ROW[table], {"key": key})
        return dict(zip(_COLUMNS[table], found[0], strict=True)) if found else None

    def rows(self, table: str, where: Mapping[str, object], *, cursor: str | None = None, limit: int = 100) -> Page:
        """Return rows whose columns equal `where`, descending by primary key."""
        target = schema.PROJECTIONS[table]
        key = target.c[PRIMARY_KEYS[table]]
        query = select(target).where(*_conditions(target, where)).order_by(key.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(key < cursor)
        columns = _COLUMNS[table]
        found = [dict(zip(columns, row, strict=True)) for row in self._read(query)]
        shown = found[:limit]
        return Page(shown, shown[-1][key.name] if len(found) > limit else None)

    def text(self, text_id: str) -> Text | None:
        """Return a text, or None where there is none or it was erased."""
        found = self._read(_TEXT, {"id": text_id})
        return Text(*found[0]) if found else None

    def events_of(self, subject: str, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return the events about one subject, ascending."""
        found = self._read(_EVENTS_OF, {"subject": subject, "after_seq": after_seq, "count": limit})
        return [SealedEvent(*row) for row in found]

    def events(self, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return events with a higher seq, ascending."""
        return [SealedEvent(*row) for row in self._read(_EVENTS, {"after_seq": after_seq, "count": limit})]

    def tree_node(self, level: int, index: int) -> bytes:
        """Return the digest of a complete subtree; raise StoreDamaged where it is missing."""
        found = self._read(_NODE, {"level": level, "idx": index})
        if not found:
            raise StoreDamaged(f"tree_nodes holds no node {index} of level {level}")
        digest: bytes = found[0][0]
        return digest

    def tree_nodes(self, level: int, *, first: int = 0, limit: int = 1000) -> Sequence[tuple[int, bytes]]:
        """Return (index, digest) of the nodes of a level from `first` on, ascending."""
        found = self._read(_NODES, {"level": level, "first": first, "count": limit})
        return [(index, digest) for index, digest in found]

    def reply(self, scope: str, key: str) -> Reply | None:
        """Return what a request with this idempotency key was answered, or None."""
        found = self._read(_REPLY, {"scope": scope, "key": key})
        return Reply(*found[0]) if found else None

    def head(self, size: int | None = None) -> tuple[int, str] | None:
        """Return (size, signed note) of the newest head, or of the one with exactly this size."""
        found = self._read(_HEADS, {"count": 1}) if size is None else self._read(_HEAD, {"size": size})
        return (found[0][0], found[0][1]) if found else None

    def heads(self, *, limit: int = 1000) -> Sequence[tuple[int, str]]:
        """Return the newest heads, ascending by size."""
        return [(size, note) for size, note in reversed(self._read(_HEADS, {"count": limit}))]

    def log_size(self) -> int:
        """Return the number of events in the log: it has no gaps."""
        newest = self._read(_LOG_SIZE)[0][0]
        return 0 if newest is None else newest + 1

    def totals(
        self, table: str, group_by: Sequence[str], sum_of: Sequence[str], where: Mapping[str, object]
    ) -> Sequence[Row]:
        """Return one row a group with the group's columns, `count` and the sums, ordered by group."""
        target = schema.PROJECTIONS[table]
        groups = [checked_column(target, name) for name in group_by]
        sums = [cast(func.coalesce(func.sum(checked_column(target, name)), 0), BigInteger) for name in sum_of]
        query = select(*groups, func.count(), *sums).where(*_conditions(target, where)).group_by(*groups)
        if groups:
            query = query.order_by(*(column.nulls_first() for column in groups))
        else:
            query = query.having(func.count() > 0)
        names = (*group_by, "count", *sum_of)
        return [dict(zip(names, row, strict=True)) for row in self._read(query)]

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot, or None."""
        found = self._read(_SNAPSHOT)
        return (found[0][0], found[0][1]) if found else None

    def integrity(self) -> list[str]:
        """Return what the database itself finds wrong with its files; nothing with PostgreSQL, which has amcheck."""
        if self._file is None:
            return []
        try:
            found = [str(line) for (line,) in self._read(_INTEGRITY)]
        except (StoreDamaged, StoreUnavailable) as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    @contextmanager
    def frozen(self) -> Iterator["SqlReader"]:
        """Yield a reader for one thread that sees the store as it is now, whatever is committed meanwhile."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self._file is None else "BEGIN"
        with self._read_engine.connect() as connection:
            connection.exec_driver_sql(begin)
            try:
                reader = _FrozenReader(self._read_engine, self._file, connection)
                reader.log_size()  # SQLite takes its view at the first read
                yield reader
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def _read(self, query: Executable, parameters: Mapping[str, object] | None = None) -> Sequence[Sequence[Any]]:
        try:
            try:
                return self._fetch(query, parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return self._fetch(query, parameters)  # the server had closed an idle connection; the pool has new ones
        except SQLAlchemyError as error:
            failure = failure_of(error, self._file)
            if failure is None:
                raise
            raise failure from error

    def _fetch(self, query: Executable, parameters: Mapping[str, object] | None) -> Sequence[Sequence[Any]]:
        with self._read_engine.connect() as connection:
            return connection.execute(query, parameters).fetchall()


class _FrozenReader(SqlReader):
    """Reads on one connection, inside one transaction."""

    def __init__(self, read_engine: Engine, file: Path | None, connection: Connection) -> None:
        super().__init__(read_engine, file)
        self._connection = connection

    def _fetch(self, query: Executable, parameters: Mapping[str, object] | None) -> Sequence[Sequence[Any]]:
        return self._connection.execute(query, parameters).fetchall()


def _conditions(table: Table, where: Mapping[str, object]) -> list[ColumnElement[bool]]:
    return [_condition(checked_column(table, name), wanted) for name, wanted in where.items()]


def _condition(column: Any, wanted: object) -> ColumnElement[bool]:
    condition: ColumnElement[bool]
    if wanted is None:
        condition = column.is_(None)
    elif not isinstance(wanted, tuple):
        condition = column == wanted
    else:
        condition = column.in_([value for value in wanted if value is not None])
        if None in wanted:
            condition = condition | column.is_(None)
    return condition
