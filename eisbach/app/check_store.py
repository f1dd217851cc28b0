"""`db check`: whether a store's content follows from its log, both ways, whatever the store is made of."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable
from zlib import crc32

from eisbach.app.check_log import CheckedEvent, Finding, Findings, ReadHead, check_log, unverified_head
from eisbach.app.projections import PRIMARY_KEYS, Insert, Row, rows_of
from eisbach.ports.store import Reader, StoreDamaged

FINDINGS_MAX = 100
EVENTS_A_PASS = 1_000_000
"""Rows are compared in as many passes over the log as keep memory bounded: about 1 KB an event."""
PAGE = 1000


@runtime_checkable
class CanCheckItself(Protocol):
    """A store that can look at its own files."""

    def integrity(self) -> list[str]:
        """Return what the database finds wrong with its own structure."""


def check_store(
    store: Reader,
    *,
    read_head: ReadHead = unverified_head,
    findings_max: int = FINDINGS_MAX,
    events_a_pass: int = EVENTS_A_PASS,
) -> list[Finding]:
    """Return what is wrong with a store that nobody writes meanwhile; nothing where it is sound.

    The database's own check comes first; then every leaf, tree node, head, text commitment and account; then every row
    of every table is derived again from the whole log and compared. Pass a `read_head` that verifies signatures where
    the key is at hand. It stops at `findings_max`.
    """
    findings = Findings(findings_max)
    if isinstance(store, CanCheckItself):
        for line in store.integrity():
            findings.add("database", line)
    try:
        passes = 1 + store.log_size() // events_a_pass
        for number in range(passes):
            first = number == 0
            checked = check_log(store, findings if first else Findings(findings_max), read_head)
            _check_rows(store, findings, checked, number, passes)
    except StoreDamaged as error:
        findings.add("database", str(error))
    return findings.found


def _check_rows(store: Reader, findings: Findings, checked: Iterator[CheckedEvent], number: int, passes: int) -> None:
    """Derive this pass's share of the rows and compare them with the tables."""
    expected = _Expected(findings, number, passes)
    for event in checked:
        expected.take(event)
    for table in PRIMARY_KEYS:
        rows = expected.rows[table]
        for key, row in _stored_rows(store, table):
            if findings.is_full:
                return
            if expected.is_of_this_pass(key):
                _compare(findings, table, key, rows.pop(key, None), row)
        for key in rows:
            findings.add(f"{table} {key}", "the row is missing: the log has the events that make it")


def _compare(findings: Findings, table: str, key: str, expected: Row | None, stored: Row) -> None:
    if expected is None:
        findings.add(f"{table} {key}", "the row follows from no event")
        return
    for column, value in expected.items():
        if stored[column] != value or type(stored[column]) is not type(value):
            what = f"{column} is {_shown(stored[column])}, but {_shown(value)} follows from the log"
            findings.add(f"{table} {key}", what)


def _stored_rows(store: Reader, table: str) -> Iterator[tuple[str, Row]]:
    cursor: str | None = None
    while True:
        page = store.rows(table, {}, cursor=cursor, limit=PAGE)
        for row in page.rows:
            yield row[PRIMARY_KEYS[table]], row
        cursor = page.next_cursor
        if cursor is None:
            return


class _Expected:
    """The rows that follow from the log so far, of one pass."""

    def __init__(self, findings: Findings, number: int, passes: int) -> None:
        self.rows: Mapping[str, dict[str, Row]] = {table: {} for table in PRIMARY_KEYS}
        self._findings, self._number, self._passes = findings, number, passes

    def is_of_this_pass(self, key: str) -> bool:
        """Return whether the row with this key is compared now."""
        return self._passes == 1 or crc32(key.encode(errors="replace")) % self._passes == self._number

    def take(self, event: CheckedEvent) -> None:
        """Apply the row operations of an event."""
        opened = event.opened
        for op in rows_of(opened.seq, opened.at_ms, opened.body, event.texts):
            key = op.row[PRIMARY_KEYS[op.table]] if isinstance(op, Insert) else op.key
            if not self.is_of_this_pass(key):
                continue
            rows = self.rows[op.table]
            if isinstance(op, Insert):
                if key in rows:
                    self._findings.add(f"events {opened.seq}", f"it makes {op.table} {key} a second time")
                rows[key] = op.row
            elif key in rows:
                rows[key].update(op.changes)
            else:
                self._findings.add(f"events {opened.seq}", f"it changes {op.table} {key}, which no event made")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
