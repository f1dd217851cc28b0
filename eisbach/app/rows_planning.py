"""Rows that follow from events about promised starts and the scheduler's policy."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_planning as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op

Texts = Mapping[str, str]
PRIMARY_KEYS: dict[str, str] = {"start_promises": "promise", "scheduler_policies": "setting"}
TEXT_COLUMNS: dict[str, str] = {}
_POLICY = (
    "policy", "order", "backfill", "promises_max", "promised_nodes", "again_ms", "runtime_weight_permille",
    "notice_ms", "minimum_run_ms", "half_life_hours",
)  # fmt: skip


def _promised(seq: int, at_ms: int, body: e.StartPromised, texts: Texts) -> list[Op]:
    return [_row(seq, at_ms, body.job, body.from_ms, body.until_ms, len(body.nodes), "")]


def _unpromised(seq: int, at_ms: int, body: e.StartUnpromised, texts: Texts) -> list[Op]:
    return [_row(seq, at_ms, body.job, body.from_ms, None, 0, body.cause)]


def _row(seq: int, at_ms: int, job: str, from_ms: int, until_ms: int | None, nodes: int, cause: str) -> Op:
    row = {
        "promise": f"{job}/{seq:012d}",
        "job": job,
        "from_ms": from_ms,
        "until_ms": until_ms,
        "nodes": nodes,
        "broken_by": cause,
        "at_ms": at_ms,
    }
    return Insert("start_promises", row)


def _scheduler_set(seq: int, at_ms: int, body: e.SchedulerSet, texts: Texts) -> list[Op]:
    row = {name if name != "order" else "ordered_by": getattr(body, name) for name in _POLICY}
    return [Insert("scheduler_policies", {"setting": f"{seq:012d}", **row, "set_by": body.by, "at_ms": at_ms})]


ROWS: dict[type[Body], Callable[[int, int, Any, Texts], list[Op]]] = {
    e.StartPromised: _promised,
    e.StartUnpromised: _unpromised,
    e.SchedulerSet: _scheduler_set,
}
