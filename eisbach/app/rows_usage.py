"""Rows that follow from the hourly settlement of many attempts: the same as if each had been settled by itself."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events_usage import Settled, UsageSettledTogether, entries_of
from eisbach.app.row_operations import Insert, Op, Update

PRIMARY_KEYS: dict[str, str] = {}
TEXT_COLUMNS: dict[str, str] = {}
ENTRIES_MAX = 1000
"""Entries of one event: their number in a transfer's id has three digits."""


def _settled(seq: int, at_ms: int, body: UsageSettledTogether, texts: Mapping[str, str]) -> list[Op]:
    ops: list[Op] = []
    for number, entry in enumerate(entries_of(body)):
        one = Settled(*entry)
        changes: dict[str, Any] = {"held_ms": one.held_ms, "charged_ms": one.charged_ms, "charged": one.charged}
        if one.saved_ms:
            changes["saved_ms"] = one.saved_ms
        ops.append(Update("attempts", one.attempt, changes))
        ops.append(Update("jobs", one.job, {"charged": one.job_charged, "charged_ms": one.job_charged_ms}))
        if one.amount:
            debit, credit, _, kind = body.transfers[0]
            row = {
                "transfer": f"{seq:012d}-{number:03d}",
                "seq": seq,
                "at_ms": at_ms,
                "debit": debit,
                "credit": credit,
                "amount": one.amount,
                "kind": kind,
                "job": one.job,
                "attempt": one.attempt,
                "booking": None,
            }
            ops.append(Insert("transfers", row))
    return ops


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {UsageSettledTogether: _settled}
