"""Folding events about data sets and uploads into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app import events_data as e
from eisbach.app.event_body import Body
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataClass, DataSet, Stage


def _announced(state: FactoryState, seq: int, at_ms: int, body: e.DataSetAnnounced) -> None:
    state.data.sets[body.data_set] = DataSet(
        data_set=body.data_set,
        project=body.project,
        stage=Stage.UPLOADING,
        size=body.size,
        data_class=DataClass(body.data_class),
        places=(body.site,),
        keep_ms=body.keep_ms,
        expires_ms=body.expires_ms,
        countries=tuple(body.countries),
        position=seq,
    )
    _hold(state, body.project, body.size)


def _created(state: FactoryState, seq: int, at_ms: int, body: e.DataSetCreated) -> None:
    known = state.data.sets[body.data_set]
    known.stage = Stage.READY
    known.sha256, known.manifest, known.chunks = body.sha256, body.manifest, body.chunks
    known.keep_until_ms = body.keep_until_ms


def _gone(state: FactoryState, seq: int, at_ms: int, body: e.DataSetAbandoned | e.DataSetDeleted) -> None:
    known = state.data.sets.pop(body.data_set)
    _hold(state, known.project, -known.bytes_held)


def _copying(state: FactoryState, seq: int, at_ms: int, body: e.DataSetCopying) -> None:
    known = state.data.sets[body.data_set]
    known.copying = tuple(body.copying)
    _hold(state, known.project, known.size)


def _copied(state: FactoryState, seq: int, at_ms: int, body: e.DataSetCopied) -> None:
    known = state.data.sets[body.data_set]
    known.places, known.copying = tuple(body.places), tuple(body.copying)


def _deleting(state: FactoryState, seq: int, at_ms: int, body: e.DataSetDeleting) -> None:
    known = state.data.sets[body.data_set]
    known.stage = Stage.DELETING
    known.deletion_cause, known.deletion_by, known.deletion_asked_ms = body.cause, body.by, at_ms


def _hold(state: FactoryState, project: str, more: int) -> None:
    held = state.data.bytes_held.get(project, 0) + more
    if held:
        state.data.bytes_held[project] = held
    else:
        state.data.bytes_held.pop(project, None)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {
    e.DataSetAnnounced: _announced,
    e.DataSetCreated: _created,
    e.DataSetAbandoned: _gone,
    e.DataSetCopying: _copying,
    e.DataSetCopied: _copied,
    e.DataSetDeleting: _deleting,
    e.DataSetDeleted: _gone,
}
