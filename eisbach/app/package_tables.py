"""The readable part of a package: tables and balances as CSV, derived from the organisation's events alone.

Export, import and comparison derive them by this one code, so a figure that does not follow from the events is found.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from eisbach.app.check_log import commitments_of
from eisbach.app.event_body import Body
from eisbach.app.exit_catalogue import TABLES
from eisbach.app.projections import PRIMARY_KEYS, Insert, Row, rows_of
from eisbach.ports.store import Text

Tables = dict[str, dict[str, Row]]
"""table -> primary key -> row"""
BALANCES = "tables/balances.csv"


def derive(events: Iterable[tuple[int, int, Body]], texts: Mapping[str, str]) -> Tables:
    """Return the rows that follow from events (seq, instant, body as told), in the tables that leave."""
    tables: Tables = {table: {} for table in TABLES}
    for seq, at_ms, body in events:
        for op in rows_of(seq, at_ms, body, texts):
            rows = tables.get(op.table)
            if rows is None:
                continue
            if isinstance(op, Insert):
                rows[op.row[PRIMARY_KEYS[op.table]]] = dict(op.row)
            elif op.key in rows:
                rows[op.key].update(op.changes)
    return tables


def balances_of(transfers: Iterable[Row]) -> dict[str, int]:
    """Return the balance of each account that transfers touch, in micro-euro; their sum is zero."""
    balances: dict[str, int] = {}
    for row in transfers:
        balances[row["debit"]] = balances.get(row["debit"], 0) - row["amount"]
        balances[row["credit"]] = balances.get(row["credit"], 0) + row["amount"]
    return dict(sorted(balances.items()))


def table_files(tables: Tables) -> dict[str, bytes]:
    """Return path -> CSV of every table and of the balances."""
    files = {f"tables/{table}.csv": _table(table, rows) for table, rows in sorted(tables.items())}
    balances = balances_of(tables["transfers"].values())
    files[BALANCES] = _csv(("account", "balance_micro_eur"), balances.items())
    return files


def texts_of(bodies: Iterable[Body], find: Any) -> list[Text]:
    """Return the texts that bodies commit to, as far as `find` (a store's `text`) still has them."""
    found: dict[str, Text] = {}
    for body in bodies:
        for text_id, _ in commitments_of(body):
            text = find(text_id)
            if text is not None:
                found[text_id] = text
    return [found[text_id] for text_id in sorted(found)]


def _table(table: str, rows: Mapping[str, Row]) -> bytes:
    key = PRIMARY_KEYS[table]
    some = next(iter(rows.values()), {key: ""})
    columns = [key, *sorted(name for name in some if name != key)]
    return _csv(columns, ([row[name] for name in columns] for _, row in sorted(rows.items())))


def _csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """Return CSV (RFC 4180) in UTF-8: nothing is an empty cell, flags are true and false."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
