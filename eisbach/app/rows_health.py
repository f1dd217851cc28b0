"""Rows that follow from events about the health of nodes, maintenance and drains."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events import NodeDrained
from eisbach.app.events_health import ClosureAnnounced, ClosureBegun, ClosureEnded, NodeMarked
from eisbach.app.row_operations import Insert, Op, Row, Update

PRIMARY_KEYS: dict[str, str] = {"node_history": "mark", "closures": "closure"}
TEXT_COLUMNS: dict[str, str] = {"node_history": "note", "closures": "note"}


def history(at_ms: int, node: str, what: str, mark: str, texts: Mapping[str, str], *, cause: str, by: str) -> Op:
    """Return the row that tells what happened to a node; `mark` is its id."""
    row = {
        "mark": mark, "node": node, "at_ms": at_ms, "what": what, "cause": cause, "by": by,
        "note": texts.get(f"{mark}/note", ""),
    }  # fmt: skip
    return Insert("node_history", row)


def drained(at_ms: int, body: NodeDrained, texts: Mapping[str, str]) -> list[Op]:
    """Return the row that tells of a drain; older logs have none."""
    if not body.mark:
        return []
    what = ("cordoned" if body.keeps_work else "drained") if body.drained else "resumed"
    return [history(at_ms, body.node, what, body.mark, texts, cause="", by=body.by)]


def _marked(seq: int, at_ms: int, body: NodeMarked, texts: Mapping[str, str]) -> list[Op]:
    return [history(at_ms, body.node, body.health, body.mark, texts, cause=body.cause, by=body.by)]


def _announced(seq: int, at_ms: int, body: ClosureAnnounced, texts: Mapping[str, str]) -> list[Op]:
    plain = ("closure", "kind", "targets", "from_ms", "until_ms", "by")
    row: Row = {
        **{name: getattr(body, name) for name in plain},
        "nodes": " ".join(body.nodes),
        "node_count": len(body.nodes),
        "state": "announced",
        "announced_ms": at_ms,
        "ended_ms": None,
        "ended_by": "",
        "note": texts.get(f"{body.closure}/note", ""),
    }
    return [Insert("closures", row)]


def _begun(seq: int, at_ms: int, body: ClosureBegun, texts: Mapping[str, str]) -> list[Op]:
    return [Update("closures", body.closure, {"state": "begun"})]


def _ended(seq: int, at_ms: int, body: ClosureEnded, texts: Mapping[str, str]) -> list[Op]:
    return [Update("closures", body.closure, {"state": body.cause, "ended_ms": at_ms, "ended_by": body.by})]


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    NodeMarked: _marked,
    ClosureAnnounced: _announced,
    ClosureBegun: _begun,
    ClosureEnded: _ended,
}
