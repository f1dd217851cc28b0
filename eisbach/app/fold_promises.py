"""Folding events about public promises into the state, and counting what they are held against."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app.event_body import Body
from eisbach.app.events_promises import PromiseDropped, PromiseRecorded, PromiseRestated
from eisbach.app.promise_wordings import as_tuple, key_of
from eisbach.app.state import FactoryState
from eisbach.app.state_promises import PromiseRecord, SiteGpus
from eisbach.core.jobs.request import WHOLE


def _recorded(state: FactoryState, seq: int, at_ms: int, body: PromiseRecorded) -> None:
    _reworded(state.promises.records.setdefault(body.promise, PromiseRecord()), body)


def _restated(state: FactoryState, seq: int, at_ms: int, body: PromiseRestated) -> None:
    _reworded(state.promises.records[body.promise], body)


def _reworded(record: PromiseRecord, body: PromiseRecorded | PromiseRestated) -> None:
    wording = as_tuple(body)
    record.wordings.append(wording)
    record.current[key_of(body)] = wording


def _dropped(state: FactoryState, seq: int, at_ms: int, body: PromiseDropped) -> None:
    state.promises.records[body.promise].is_dropped = body.dropped


CHANGES: Final[dict[type[Body], Callable[[FactoryState, int, int, Any], None]]] = {
    PromiseRecorded: _recorded,
    PromiseRestated: _restated,
    PromiseDropped: _dropped,
}


def commission(state: FactoryState, site: str, gpus: int, at_ms: int) -> None:
    """Count GPUs that a site gained, or lost where `gpus` is negative."""
    if not gpus:
        return
    counted = state.promises.gpus_at.setdefault(site, SiteGpus(counted_ms=at_ms))
    counted.commissioned_gpu_ms += counted.gpus * (at_ms - counted.counted_ms)
    counted.gpus += gpus
    counted.counted_ms = at_ms
    if counted.first_ms is None:
        counted.first_ms = at_ms


def hold(state: FactoryState, site: str, gpu_milli: int, held_ms: int) -> None:
    """Count the GPU time that an attempt held at a site."""
    state.promises.gpus_at[site].held_gpu_ms += gpu_milli * held_ms // WHOLE
