"""A data set is deleted: first nobody reads it any more, then its chunks go at every site, then the log says so.

What runs with it keeps it from being deleted; what only waits ends with a reason (app/refuse_late.py). A kill between
any two steps leaves the data set in its stage `deleting`, and the round goes on there.
"""

from typing import TYPE_CHECKING

from eisbach.app.commands import SYSTEM, Actor, Command, Context, Decision
from eisbach.app.data_shelves import GONE, jobs_reading, shelf_of, those
from eisbach.app.events_data import DataSetAbandoned, DataSetDeleted, DataSetDeleting
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataSet, Stage
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.crash import reached
from eisbach.ports.objects import Removed, UploadBusy

if TYPE_CHECKING:
    from eisbach.app.application import Application

JOBS_SHOWN = 10
BY_REQUEST, BY_RETENTION, BY_EXPIRY = "request", "retention", "expired"


def command(actor: Actor, *, data_set: str, cause: str = BY_REQUEST) -> Command:
    """Return the command that begins a deletion, or gives up an unfinished upload; the same again changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = state.data.sets.get(data_set)
        if found is None:
            return GONE
        reply = {"data_set": data_set, "project": found.project}
        if found.stage is Stage.DELETING:
            return Decision(reply=reply)
        jobs = jobs_reading(state, data_set)
        if jobs:
            what = f"{len(jobs)} jobs work with the data set now: {', '.join(jobs[:JOBS_SHOWN])}"
            do = "Wait until they have ended, or cancel them; then delete it"
            return Refusal(Reason.DATA_IN_USE, what, do, values={"jobs": jobs[:JOBS_SHOWN]})
        event = DataSetDeleting(data_set=data_set, project=found.project, cause=cause, by=actor.token)
        return Decision(events=(event,), reply=reply)

    return decide


def begin_due(application: "Application") -> int:
    """Begin the deletion of what is not kept any longer and of uploads that have expired; return how many."""
    begun = 0
    for one in those(application, _is_over):
        cause = BY_EXPIRY if one.stage is Stage.UPLOADING else BY_RETENTION
        answer = application.perform(command(SYSTEM, data_set=one.data_set, cause=cause)).result()
        begun += not isinstance(answer, Refusal)  # one that a job works with waits for its end
    return begun


def finish_deletions(application: "Application") -> int:
    """Take every data set whose deletion has begun off all its sites and record that; return how many."""
    return sum(_finish(application, one) for one in those(application, _is_going))


def _is_over(one: DataSet, now: int) -> bool:
    if one.stage is Stage.UPLOADING:
        return one.expires_ms <= now
    return one.stage is Stage.READY and one.keep_until_ms is not None and one.keep_until_ms <= now


def _is_going(one: DataSet, now: int) -> bool:
    return one.stage is Stage.DELETING


def _finish(application: "Application", one: DataSet) -> bool:
    sites = (*one.places, *one.copying)
    removed: dict[str, Removed] = {}
    for site in sites:
        try:
            removed[site] = application.objects.remove(shelf_of(application, one.project, site), one.data_set)
        except UploadBusy:
            return False  # the last bytes still come in: the next round
        reached("data.removed_at_a_site")
    answer = application.perform(_gone(one.data_set, removed)).result()
    if isinstance(answer, Refusal):
        return False
    reached("data.deletion_recorded")
    for site in sites:
        application.objects.forget_removal(shelf_of(application, one.project, site), one.data_set)
    return True


def _gone(data_set: str, removed: dict[str, Removed]) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = state.data.sets.get(data_set)
        if found is None or found.stage is not Stage.DELETING:
            return Decision()
        texts = (f"{data_set}/name", f"{data_set}/licence")
        if not found.sha256:
            given_up = DataSetAbandoned(
                data_set=data_set, project=found.project, cause=found.deletion_cause, by=found.deletion_by
            )
            return Decision(events=(given_up,), erased=texts)
        deleted = DataSetDeleted(
            data_set=data_set,
            project=found.project,
            size=found.size,
            sha256=found.sha256,
            manifest=found.manifest,
            removed=tuple((site, one.chunks, one.shared) for site, one in removed.items()),
            cause=found.deletion_cause,
            by=found.deletion_by,
            asked_ms=found.deletion_asked_ms,
        )
        return Decision(events=(deleted,), erased=texts)

    return decide
