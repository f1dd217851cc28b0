"""Folding events about agreements, quotas and fair shares into the state."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app import events_shares as e
from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded
from eisbach.app.state import FactoryState
from eisbach.app.state_shares import FULL_PRICE, Agreement
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import Outcome
from eisbach.core.scheduling.fair_share import WEIGHT
from eisbach.core.vocabulary.quantities import HOUR_MS


def join(state: FactoryState, organisation: str, parent: str | None, segment: str) -> None:
    """An organisation joins the tree of shares: below its parent, or below its segment where it has none."""
    tree = state.scheduler.fair_share
    if parent is None and segment not in tree:
        tree.add(segment)
        tree.set_weight(segment, state.shares.weights.get(segment, WEIGHT))
    tree.add(organisation, segment if parent is None else parent)


def grow_tree(state: FactoryState) -> None:
    """Build the tree of shares of a state that was read from a snapshot: branches, weights, quotas, agreements."""
    tree = state.scheduler.fair_share
    for one in state.organisations.values():
        join(state, one.organisation, one.parent, one.segment)
    for project in state.projects.values():
        tree.add(project.project, project.organisation)
    for name, weight in state.shares.weights.items():
        if name in tree:
            tree.set_weight(name, weight)
    for name, gpu_milli in state.shares.quotas.items():
        tree.set_quota(name, gpu_milli)
    for name, agreement in state.shares.agreements.items():
        tree.set_agreed(name, agreement.gpu_milli)


def predicted_ms(state: FactoryState, project: str, by: str, nodes: int, limit_ms: int) -> int:
    """Return how long a job will run, by what its submitter's last ones did in this project; its limit where less than two are
    known."""
    return state.shares.runs.predict(f"{project} {by}", nodes, limit_ms)


def note_run(state: FactoryState, job: ActiveJob, body: AttemptEnded) -> None:
    """A job is over: how long it ran tells about the next one, unless somebody stopped it or it was lost."""
    if body.job_outcome in _TELLING:
        state.shares.runs.note(f"{job.project} {job.submitter}", job.nodes, job.used_ms, job.limit_ms, body.ended_ms)


_TELLING: Final = frozenset(
    one.value for one in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY)
)


def _share(state: FactoryState, seq: int, at_ms: int, body: e.ShareSet) -> None:
    if body.weight is None:
        state.shares.weights.pop(body.owner, None)
    else:
        state.shares.weights[body.owner] = body.weight
    if body.owner in state.scheduler.fair_share:  # a segment joins with its first organisation
        state.scheduler.fair_share.set_weight(body.owner, WEIGHT if body.weight is None else body.weight)
    state.scheduler.unsettle()


def _quota(state: FactoryState, seq: int, at_ms: int, body: e.QuotaSet) -> None:
    if body.gpu_milli is None:
        state.shares.quotas.pop(body.owner, None)
    else:
        state.shares.quotas[body.owner] = body.gpu_milli
    state.scheduler.fair_share.set_quota(body.owner, body.gpu_milli)
    state.scheduler.unsettle()


def _agreement(state: FactoryState, seq: int, at_ms: int, body: e.AgreementSet) -> None:
    if body.gpu_milli == 0 and body.price_permille == FULL_PRICE:
        state.shares.agreements.pop(body.organisation, None)
    else:
        state.shares.agreements[body.organisation] = Agreement(body.gpu_milli, body.price_permille)
    state.terms.clear()
    state.scheduler.fair_share.set_agreed(body.organisation, body.gpu_milli)
    state.scheduler.unsettle()


def _defragmentation(state: FactoryState, seq: int, at_ms: int, body: e.DefragmentationPlanned) -> None:
    state.shares.moved = [one for one in state.shares.moved if one[0] > at_ms - HOUR_MS] + [(at_ms, len(body.moved))]


CHANGES: Final[dict[type[Body], Callable[[FactoryState, int, int, Any], None]]] = {
    e.ShareSet: _share,
    e.QuotaSet: _quota,
    e.AgreementSet: _agreement,
    e.DefragmentationPlanned: _defragmentation,
}
