"""Rows that follow from events about data sets and uploads."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_data as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op, Update
from eisbach.app.state_data import Stage

PRIMARY_KEYS: dict[str, str] = {"data_sets": "data_set"}
TEXT_COLUMNS: dict[str, str] = {"data_sets": "name"}


def _announced(seq: int, at_ms: int, body: e.DataSetAnnounced, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "data_set": body.data_set,
        "project": body.project,
        "name": texts.get(f"{body.data_set}/name", ""),
        "stage": Stage.UPLOADING.value,
        "data_class": body.data_class,
        "size": body.size,
        "sha256": "",
        "manifest": "",
        "chunks": 0,
        "places": body.site,
        "copying": "",
        "countries": " ".join(body.countries),
        "keep_ms": body.keep_ms,
        "keep_until_ms": None,
        "expires_ms": body.expires_ms,
        "announced_by": body.by,
        "announced_ms": at_ms,
        "created_ms": None,
        "deleting_ms": None,
        "gone_ms": None,
    }
    return [Insert("data_sets", row)]


def _created(seq: int, at_ms: int, body: e.DataSetCreated, texts: Mapping[str, str]) -> list[Op]:
    changes = {
        "stage": Stage.READY.value,
        "sha256": body.sha256,
        "manifest": body.manifest,
        "chunks": body.chunks,
        "keep_until_ms": body.keep_until_ms,
        "created_ms": at_ms,
    }
    return [Update("data_sets", body.data_set, changes)]


def _abandoned(seq: int, at_ms: int, body: e.DataSetAbandoned, texts: Mapping[str, str]) -> list[Op]:
    return [Update("data_sets", body.data_set, {"stage": Stage.ABANDONED.value, "places": "", "gone_ms": at_ms})]


def _copying(seq: int, at_ms: int, body: e.DataSetCopying, texts: Mapping[str, str]) -> list[Op]:
    return [Update("data_sets", body.data_set, {"copying": " ".join(body.copying)})]


def _copied(seq: int, at_ms: int, body: e.DataSetCopied, texts: Mapping[str, str]) -> list[Op]:
    changes = {"places": " ".join(body.places), "copying": " ".join(body.copying)}
    return [Update("data_sets", body.data_set, changes)]


def _deleting(seq: int, at_ms: int, body: e.DataSetDeleting, texts: Mapping[str, str]) -> list[Op]:
    return [Update("data_sets", body.data_set, {"stage": Stage.DELETING.value, "deleting_ms": at_ms})]


def _deleted(seq: int, at_ms: int, body: e.DataSetDeleted, texts: Mapping[str, str]) -> list[Op]:
    changes = {"stage": Stage.DELETED.value, "places": "", "copying": "", "gone_ms": at_ms}
    return [Update("data_sets", body.data_set, changes)]


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    e.DataSetAnnounced: _announced,
    e.DataSetCreated: _created,
    e.DataSetAbandoned: _abandoned,
    e.DataSetCopying: _copying,
    e.DataSetCopied: _copied,
    e.DataSetDeleting: _deleting,
    e.DataSetDeleted: _deleted,
}
