"""Jobs that can never start any more end, and their money is free: their nodes, their data or their booking is gone."""

from eisbach.app import money
from eisbach.app.application import Application
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import Body, JobEnded
from eisbach.app.state import FactoryState
from eisbach.app.state_data import Stage
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.jobs.lifecycle import JobState, Outcome
from eisbach.core.scheduling.order import Asks
from eisbach.core.vocabulary.reasons import Reason, Refusal


def refuse_late(application: Application) -> int:
    """End waiting jobs that lack for good what they need; return how many those were. Drained nodes are no such lack."""
    refused = 0
    while True:
        answer = application.perform(_decide).result()
        if isinstance(answer, Refusal) or not answer["refused"]:
            return refused
        refused += int(answer["refused"])


def _decide(state: FactoryState, context: Context) -> Decision | Refusal:
    known: dict[Asks, bool] = {}
    events: dict[str, Body] = {}
    for job in state.scheduler.jobs.values():
        # One job of a project in a batch: what it gives back changes what the next one gives back.
        if job.state is not JobState.WAITING or job.project in events:
            continue
        if (asks := job.asks()) not in known:
            known[asks] = _could_ever(state.scheduler.fleet, job)
        if not known[asks]:
            events[job.project] = _ended(state, job.job, Reason.MORE_THAN_THE_SITE)
        elif _lacks_data(state, job.job):
            events[job.project] = _ended(state, job.job, Reason.DATA_DELETED)
        elif job.booking and job.booking not in state.booking.bookings:
            events[job.project] = _ended(state, job.job, Reason.BOOKING_OVER)
    return Decision(events=tuple(events.values()), reply={"refused": len(events)})


def _could_ever(fleet: Fleet, job: ActiveJob) -> bool:
    # without its place: rules and sites may change again, and meanwhile it waits and says why
    return any(fleet.could_ever(shape, job.nodes, within=job.within) for shape in job.shapes)


def _lacks_data(state: FactoryState, job: str) -> bool:
    """Return whether a data set that the job reads was deleted, or is about to be."""
    known = (state.data.sets.get(data_set) for data_set in state.data.used_by.get(job, ()))
    return any(one is None or one.stage is not Stage.READY for one in known)


def _ended(state: FactoryState, job: str, reason: Reason) -> JobEnded:
    account = state.accounts[job]
    released = money.release(state, account.project, account.period, account.reserved)
    return JobEnded(
        job=job,
        outcome=Outcome.REFUSED_LATE.value,
        reason=reason.value,
        by=SYSTEM.token,
        transfers=money.as_tuples(released),
    )
