"""Rows that follow from events about public promises."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events_promises import PromiseDropped, PromiseRecorded, PromiseRestated
from eisbach.app.row_operations import Insert, Op, Update

PRIMARY_KEYS: dict[str, str] = {"promises": "promise", "promise_wordings": "wording"}
TEXT_COLUMNS: dict[str, str] = {}
_WORDING = (
    "metric", "title", "title_de", "counted_from", "due", "quote", "language", "date", "speaker", "source", "url",
    "evidence", "comparison", "value_milli", "unit",
)  # fmt: skip


def _recorded(seq: int, at_ms: int, body: PromiseRecorded, texts: Mapping[str, str]) -> list[Op]:
    row = {"promise": body.promise, "metric": body.metric, "dropped": False, "recorded_ms": at_ms, "restated_ms": None}
    return [Insert("promises", row), _wording(seq, at_ms, body, "")]


def _restated(seq: int, at_ms: int, body: PromiseRestated, texts: Mapping[str, str]) -> list[Op]:
    changes = {"metric": body.metric, "restated_ms": at_ms}
    return [Update("promises", body.promise, changes), _wording(seq, at_ms, body, body.cause)]


def _dropped(seq: int, at_ms: int, body: PromiseDropped, texts: Mapping[str, str]) -> list[Op]:
    return [Update("promises", body.promise, {"dropped": body.dropped})]


def _wording(seq: int, at_ms: int, body: PromiseRecorded | PromiseRestated, cause: str) -> Op:
    said = {name: getattr(body, name) for name in _WORDING}
    key = f"{body.promise}/{seq:012d}"
    return Insert("promise_wordings", {"wording": key, "promise": body.promise, "at_ms": at_ms, "cause": cause, **said})


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    PromiseRecorded: _recorded,
    PromiseRestated: _restated,
    PromiseDropped: _dropped,
}
