"""Rows that follow from events about exports and imports of organisations."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from eisbach.app.event_body import Body
from eisbach.app.events_exit import ExtractImported, OrganisationImported
from eisbach.app.row_operations import Insert, Op

PRIMARY_KEYS: dict[str, str] = {"imports": "organisation"}
TEXT_COLUMNS: dict[str, str] = {}


def _imported(seq: int, at_ms: int, body: OrganisationImported, texts: Mapping[str, str]) -> list[Op]:
    names = ("organisation", "origin", "key", "head", "manifest", "records", "site")
    row = {name: getattr(body, name) for name in names}
    return [Insert("imports", {**row, "imported_by": body.by, "seq": seq, "at_ms": at_ms})]


def _extract(seq: int, at_ms: int, body: ExtractImported, texts: Mapping[str, str]) -> list[Op]:
    return [Insert(body.table, row) for row in msgspec.json.decode(body.rows)]


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    OrganisationImported: _imported,
    ExtractImported: _extract,
}
