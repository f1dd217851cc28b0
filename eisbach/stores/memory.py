"""A store in memory: the twin's and the tests', with the contract of the durable ones."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from threading import RLock

from eisbach.app.projections import PRIMARY_KEYS, TEXT_COLUMNS
from eisbach.core.log.event import SealedEvent
from eisbach.core.vocabulary.invariant import require
from eisbach.ports.store import (
    KEEPS_ALL,
    Batch,
    LeadershipLost,
    Page,
    Reply,
    Row,
    StoreDamaged,
    Text,
)
from eisbach.stores.continuity import require_consistent_head, require_continuation

SNAPSHOTS_KEPT = 2


class _Table:
    """Rows by key, and the keys in order: ids are time-sortable, so a new key is nearly always the last."""

    __slots__ = ("keys", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.keys: list[str] = []

    def insert(self, key: str, row: Row) -> None:
        self.rows[key] = row
        if not self.keys or key > self.keys[-1]:
            self.keys.append(key)
        else:
            insort(self.keys, key)

    def newest_first(self, before: str | None) -> Iterator[tuple[str, Row]]:
        end = len(self.keys) if before is None else bisect_left(self.keys, before)
        for position in range(end - 1, -1, -1):
            key = self.keys[position]
            yield key, self.rows[key]


class MemoryStore:
    """Keeps everything until the process ends. A commit is checked whole before anything of it is written."""

    keeps = KEEPS_ALL

    def __init__(self) -> None:
        self._lock = RLock()
        self._epoch = 0
        self._events: list[SealedEvent] = []
        self._subjects: dict[str, list[int]] = {}
        self._tables = {table: _Table() for table in PRIMARY_KEYS}
        self._texts: dict[str, Text] = {}
        self._replies: dict[tuple[str, str], Reply] = {}
        self._tree: dict[tuple[int, int], bytes] = {}
        self._heads: dict[int, str] = {}
        self._snapshots: dict[int, bytes] = {}

    def take_leadership(self) -> int:
        """Raise the epoch by one and return it."""
        with self._lock:
            self._epoch += 1
            return self._epoch

    def commit(self, batch: Batch, epoch: int) -> None:
        """Write the batch, or raise and write nothing of it."""
        with self._lock:
            self._check(batch, epoch)
            self._write(batch)

    def _check(self, batch: Batch, epoch: int) -> None:
        if epoch != self._epoch:
            raise LeadershipLost(f"epoch {epoch} is over: {self._epoch} stands in the store")
        require_continuation(len(self._events), batch.events)
        for table, inserts in batch.inserts.items():
            known = self._tables[table].rows
            for key in inserts:
                if key in known:
                    raise StoreDamaged(f"{table} already holds {key}")
        for table, updates in batch.updates.items():
            known = self._tables[table].rows
            for key, changes in updates.items():
                if key not in known:
                    raise StoreDamaged(f"{table} holds no {key} to update")
                require(changes.keys() <= known[key].keys(), f"{table} has the columns that are updated")
        for reply in batch.replies:
            if (reply.scope, reply.key) in self._replies:
                raise StoreDamaged(f"replies already holds {reply.key} of {reply.scope}")
        for node in batch.tree_nodes:
            if (node.level, node.index) in self._tree:
                raise StoreDamaged(f"tree_nodes already holds node {node.index} of level {node.level}")
        if batch.head is not None:
            size, note = batch.head
            log_size = len(self._events) + len(batch.events)
            require_consistent_head(size, note, self._heads.get(size), log_size)

    def _write(self, batch: Batch) -> None:
        self._events.extend(batch.events)
        for subject, seq in batch.subjects:
            self._subjects.setdefault(subject, []).append(seq)
        for table, inserts in batch.inserts.items():
            for key, row in inserts.items():
                self._tables[table].insert(key, dict(row))
        for table, updates in batch.updates.items():
            rows = self._tables[table].rows
            for key, changes in updates.items():
                rows[key] = rows[key] | changes
        self._texts.update((text.id, text) for text in batch.texts)
        for text_id in batch.erased:
            self._erase(text_id)
        if batch.replies_kept_from_ms is not None:
            kept_from_ms = batch.replies_kept_from_ms
            self._replies = {key: reply for key, reply in self._replies.items() if reply.at_ms >= kept_from_ms}
        self._replies.update(((reply.scope, reply.key), reply) for reply in batch.replies)
        self._tree.update(((node.level, node.index), node.digest) for node in batch.tree_nodes)
        if batch.head is not None:
            self._heads[batch.head[0]] = batch.head[1]
        if batch.snapshot is not None:
            self._snapshots[batch.snapshot[0]] = batch.snapshot[1]
            for seq in sorted(self._snapshots)[:-SNAPSHOTS_KEPT]:
                del self._snapshots[seq]

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot, or None."""
        with self._lock:
            return max(self._snapshots.items(), default=None)

    def erase_text(self, text_id: str) -> bool:
        """Erase a text and empty the column that shows it; return whether there was one."""
        with self._lock:
            return self._erase(text_id)

    def _erase(self, text_id: str) -> bool:
        object_id, _, what = text_id.rpartition("/")
        for table, column in TEXT_COLUMNS.items():
            rows = self._tables[table].rows
            if column == what and object_id in rows:
                rows[object_id] = rows[object_id] | {column: ""}
        return self._texts.pop(text_id, None) is not None

    def close(self) -> None:
        """Do nothing: what is in memory stays until nobody holds it."""

    def row(self, table: str, key: str) -> Row | None:
        """Return a row by its primary key, or None."""
        row = self._tables[table].rows.get(key)
        return None if row is None else dict(row)

    def rows(self, table: str, where: Mapping[str, object], *, cursor: str | None = None, limit: int = 100) -> Page:
        """Return rows whose columns equal `where`, descending by primary key."""
        found: list[tuple[str, Row]] = []
        with self._lock:
            for key, row in self._tables[table].newest_first(cursor):
                if _fits(row, where):
                    found.append((key, dict(row)))
                    if len(found) > limit:
                        break
        shown = found[:limit]
        return Page([row for _, row in shown], shown[-1][0] if len(found) > limit else None)

    def text(self, text_id: str) -> Text | None:
        """Return a text, or None where there is none or it was erased."""
        return self._texts.get(text_id)

    def events_of(self, subject: str, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return the events about one subject, ascending."""
        with self._lock:
            known = self._subjects.get(subject, [])
            return [self._events[seq] for seq in known if seq > after_seq][:limit]

    def events(self, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return events with a higher seq, ascending."""
        return self._events[after_seq + 1 : after_seq + 1 + limit]

    def tree_node(self, level: int, index: int) -> bytes:
        """Return the digest of a complete subtree; raise StoreDamaged where it is missing."""
        digest = self._tree.get((level, index))
        if digest is None:
            raise StoreDamaged(f"tree_nodes holds no node {index} of level {level}")
        return digest

    def tree_nodes(self, level: int, *, first: int = 0, limit: int = 1000) -> Sequence[tuple[int, bytes]]:
        """Return (index, digest) of the nodes of a level from `first` on, ascending."""
        with self._lock:
            found = sorted(index for at, index in self._tree if at == level and index >= first)[:limit]
            return [(index, self._tree[level, index]) for index in found]

    def reply(self, scope: str, key: str) -> Reply | None:
        """Return what a request with this idempotency key was answered, or None."""
        return self._replies.get((scope, key))

    def head(self, size: int | None = None) -> tuple[int, str] | None:
        """Return (size, signed note) of the newest head, or of the one with exactly this size."""
        with self._lock:
            if size is None:
                return max(self._heads.items(), default=None)
            return (size, self._heads[size]) if size in self._heads else None

    def heads(self, *, limit: int = 1000) -> Sequence[tuple[int, str]]:
        """Return the newest heads, ascending by size."""
        with self._lock:
            return sorted(self._heads.items())[-limit:]

    def log_size(self) -> int:
        """Return the number of events in the log."""
        return len(self._events)

    def totals(
        self, table: str, group_by: Sequence[str], sum_of: Sequence[str], where: Mapping[str, object]
    ) -> Sequence[Row]:
        """Return one row a group with the group's columns, `count` and the sums, ordered by group."""
        groups: dict[tuple[object, ...], Row] = {}
        with self._lock:
            for row in self._tables[table].rows.values():
                if _fits(row, where):
                    key = tuple(row[column] for column in group_by)
                    group = groups.get(key)
                    if group is None:
                        start: Row = dict(zip(group_by, key, strict=True))
                        group = groups[key] = start | {"count": 0} | dict.fromkeys(sum_of, 0)
                    group["count"] += 1
                    for column in sum_of:
                        group[column] += row[column] or 0
        return [groups[key] for key in sorted(groups, key=_nulls_first)]


def _fits(row: Row, where: Mapping[str, object]) -> bool:
    return all(
        row[column] in wanted if isinstance(wanted, tuple) else row[column] == wanted
        for column, wanted in where.items()
    )


def _nulls_first(key: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    return tuple((value is not None, value) for value in key)
