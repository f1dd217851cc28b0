"""The statements of a commit, compiled once: what the write connection's driver takes as it stands."""

from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Table, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

from eisbach.app.projections import PRIMARY_KEYS, TEXT_COLUMNS
from eisbach.stores.sql import schema

Pick = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class InsertInto(NamedTuple):
    """An INSERT, how many columns it fills, and what picks their values out of a row."""

    sql: str
    columns: int
    pick: Pick


class Statements:
    """The SQL text of every write, with positional parameters, for one database."""

    def __init__(self, dialect: str) -> None:
        self._dialect = _positional_dialect(dialect)
        self.begin = "BEGIN IMMEDIATE" if dialect == "sqlite" else "BEGIN"
        self.insert_event = self._insert(schema.events)
        self.insert_subject = self._insert(schema.subjects)
        self.insert_reply = self._insert(schema.replies)
        self.insert_tree_node = self._insert(schema.tree_nodes)
        self.insert_snapshot = self._insert(schema.snapshots)
        self.put_text = self._put(schema.texts)
        self.put_head = self._put(schema.heads)
        self.inserts = {name: self._insert_row(table) for name, table in schema.PROJECTIONS.items()}
        self._updates: dict[tuple[str, tuple[str, ...]], str] = {}

        leader, snapshots, texts, heads = schema.leader, schema.snapshots, schema.texts, schema.heads
        size = select(func.max(schema.events.c.seq)).scalar_subquery()
        is_epoch = leader.c.epoch == bindparam("epoch")
        self.check_epoch = self._text(select(leader.c.epoch, size).where(is_epoch).with_for_update())
        self.lock_leader = self._text(select(leader.c.epoch).with_for_update())
        self.raise_epoch = self._text(update(leader).values(epoch=leader.c.epoch + literal_column("1")))
        self.read_epoch = self._text(select(leader.c.epoch))
        self.read_head = self._text(select(heads.c.note).where(heads.c.size == bindparam("size")))
        self.read_leaf = self._text(select(schema.events.c.leaf).where(schema.events.c.seq == bindparam("seq")))
        self.read_snapshots = self._text(select(snapshots.c.seq).order_by(snapshots.c.seq.desc()))
        self.delete_snapshot = self._text(delete(snapshots).where(snapshots.c.seq == bindparam("seq")))
        self.delete_replies = self._text(delete(schema.replies).where(schema.replies.c.at_ms < bindparam("at_ms")))
        self.delete_text = self._text(delete(texts).where(texts.c.id == bindparam("id")))
        self.empty_text_column = {
            table: (column, self.update(table, (column,))) for table, column in TEXT_COLUMNS.items()
        }

    def update(self, table: str, columns: tuple[str, ...]) -> str:
        """Return an UPDATE of these columns, in this order, of the row whose primary key is the last parameter."""
        sql = self._updates.get((table, columns))
        if sql is None:
            target = schema.PROJECTIONS[table]
            key = target.c[PRIMARY_KEYS[table]]
            values: list[tuple[Any, Any]] = [
                (checked_column(target, column), bindparam(f"new_{column}")) for column in columns
            ]
            sql = self._text(update(target).ordered_values(*values).where(key == bindparam("found_by")))
            self._updates[table, columns] = sql
        return sql

    def _insert(self, table: Table) -> str:
        return self._text(insert(table).values({column.name: bindparam(column.name) for column in table.c}))

    def _insert_row(self, table: Table) -> InsertInto:
        names = [column.name for column in table.c]
        return InsertInto(self._insert(table), len(names), itemgetter(*names))

    def _put(self, table: Table) -> str:
        """An INSERT that replaces the row of the same key."""
        make = sqlite.insert if self._dialect.name == "sqlite" else postgresql.insert
        statement = make(table).values({column.name: bindparam(column.name) for column in table.c})
        changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
        keys = [column.name for column in table.primary_key]
        return self._text(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def _text(self, statement: ClauseElement) -> str:
        return str(statement.compile(dialect=self._dialect))


@cache
def statements_for(dialect: str) -> Statements:
    """Return the statements for `sqlite` or `postgresql`."""
    return Statements(dialect)


def checked_column(table: Table, name: str) -> Any:
    """Return the column; raise ValueError where the table has none of that name, so that no name reaches SQL unseen."""
    if name not in table.c:
        raise ValueError(f"{table.name} has no column {name!r}")
    return table.c[name]


def _positional_dialect(name: str) -> Dialect:
    if name == "sqlite":
        return sqlite.dialect(paramstyle="qmark")
    return postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
