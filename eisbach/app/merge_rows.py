"""Fold the row operations of many events into what one commit writes: at most one insert or update a row."""

from collections.abc import Iterable

from eisbach.app.event_body import Body
from eisbach.app.projections import PRIMARY_KEYS, Insert, Op, rows_of, subjects_of
from eisbach.core.vocabulary.invariant import require
from eisbach.ports.store import Batch


def add_rows(batch: Batch, seq: int, at_ms: int, body: Body, texts: dict[str, str]) -> None:
    """Add an event's rows, and whom it is about, to a batch."""
    merge_rows(batch, rows_of(seq, at_ms, body, texts))
    batch.subjects.extend([(subject, seq) for subject in subjects_of(body)])


def merge_rows(batch: Batch, ops: Iterable[Op]) -> None:
    """Add operations to a batch, in their order. Later changes of a row win; a row of this batch stays one insert."""
    inserts, updates = batch.inserts, batch.updates
    for op in ops:
        table = op.table
        if isinstance(op, Insert):
            rows = inserts.setdefault(table, {})
            key = op.row[PRIMARY_KEYS[table]]
            require(key not in rows, "a row is inserted once")
            rows[key] = op.row
        else:
            new = inserts.get(table)
            if new is not None and op.key in new:
                new[op.key].update(op.changes)
            else:
                changes = updates.setdefault(table, {})
                known = changes.get(op.key)
                if known is None:
                    changes[op.key] = dict(op.changes)
                else:
                    known.update(op.changes)
