"""What is told about data sets: facts for lists and pages, and their bytes."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eisbach.app.data_shelves import GONE, shelf_of
from eisbach.app.state_data import Stage
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.objects import Content, ObjectDamaged
from eisbach.ports.store import Page, Row

if TYPE_CHECKING:
    from eisbach.app.application import Application

HELD = (Stage.UPLOADING.value, Stage.READY.value, Stage.DELETING.value)
"""Stages of what is shown unless more is asked for: all that still lies somewhere."""


def listed(
    application: "Application", project: str, *, is_all: bool = False, cursor: str | None = None, limit: int = 100
) -> Page:
    """Return a page of a project's data sets as facts, newest first; those that are gone only with `is_all`."""
    where: dict[str, object] = {"project": project}
    if not is_all:
        where["stage"] = HELD
    found = application.reader.rows("data_sets", where, cursor=cursor, limit=limit)
    return Page([_facts(application, row) for row in found.rows], found.next_cursor)


def facts(application: "Application", data_set: str) -> Row | None:
    """Return everything that is known about one data set, gone or not: its row, licence, places with their countries."""
    row = application.reader.row("data_sets", data_set)
    return _facts(application, row) if row is not None else None


def usage(application: "Application", project: str) -> dict[str, int]:
    """Return how many bytes a project's data sets hold, unfinished uploads in full, and how many they may."""
    held = application.ask(lambda state, now: state.data.bytes_held.get(project, 0)).result()
    return {"held_bytes": held, "quota_bytes": application.data_limits.project_bytes_max}


def content(application: "Application", row: Mapping[str, Any], start: int, end: int) -> Iterator[bytes] | Refusal:
    """Return the bytes from `start` to before `end`; the first chunk is read and checked before this returns."""
    if row["stage"] == Stage.UPLOADING.value:
        return Refusal(Reason.DATA_IN_USE, "The upload of this data set has not ended", "Read it once all bytes are there")
    if row["stage"] != Stage.READY.value:
        return GONE
    shelf = shelf_of(application, row["project"], row["places"].split()[0])
    pieces = application.objects.read(shelf, row["data_set"], start, end)
    try:
        first = next(pieces, b"")
    except ObjectDamaged as error:
        return damaged(error)
    return _with_first(first, pieces)


def verify(application: "Application", row: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """Read every byte at every place again; return for each place whether it has the hashes in the log."""
    if row["stage"] != Stage.READY.value:
        return GONE
    places = []
    for site in row["places"].split():
        finding = ""
        try:
            found = application.objects.verify(shelf_of(application, row["project"], site), row["data_set"], row["size"])
            finding = "" if _is_same(found, row) else "its content has other hashes than the log"
        except ObjectDamaged as error:
            finding = str(error)
        places.append({"site": site, "is_whole": not finding, "finding": finding})
    return {"data_set": row["data_set"], "is_whole": all(one["is_whole"] for one in places), "places": places}


def damaged(error: ObjectDamaged) -> Refusal:
    """Return the refusal of bytes that are not what they were."""
    do = "Ask the operator: a copy at another site may be whole, else upload it again"
    return Refusal(Reason.DATA_DAMAGED, f"The data set is damaged: {error}", do)


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _is_same(found: Content, row: Mapping[str, Any]) -> bool:
    return (found.sha256, found.manifest, found.chunks) == (row["sha256"], row["manifest"], row["chunks"])


def _facts(application: "Application", row: Row) -> Row:
    licence = application.reader.text(f"{row['data_set']}/licence")
    return {
        **row,
        "licence": licence.content.decode() if licence is not None else "",
        "countries": row["countries"].split(),
        "places": [_place(application, site, is_whole=True) for site in row["places"].split()]
        + [_place(application, site, is_whole=False) for site in row["copying"].split()],
    }


def _place(application: "Application", site: str, *, is_whole: bool) -> dict[str, Any]:
    row = application.reader.row("sites", site) or {"country": "", "operator": "", "simulated": False}
    known = {name: row[name] for name in ("country", "operator", "simulated")}
    return {"site": site, **known, "is_whole": is_whole}
