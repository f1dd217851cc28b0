"""A job is cancelled: at once while it waits, with signal and grace while it runs."""

from eisbach.app import money
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import JobEnded, JobStopping
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState, Outcome, StopCause
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, job: str) -> Command:
    """Return the command that cancels a job; cancelling one that is being stopped changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = state.scheduler.jobs.get(job)
        if known is None:
            return Refusal(
                Reason.ALREADY_ENDED, f"The job {job} is not waiting or running any more", "There is nothing to cancel"
            )
        if known.state is JobState.WAITING:
            account = state.accounts[job]
            released = money.release(state, account.project, account.period, account.reserved)
            ended = JobEnded(
                job=job,
                outcome=Outcome.CANCELLED.value,
                reason=Reason.CANCELLED.value,
                by=actor.token,
                transfers=money.as_tuples(released),
            )
            return Decision(events=(ended,), reply={"job": job, "state": "ended", "outcome": "cancelled"}, status=202)
        reply = {"job": job, "state": "stopping", "outcome": ""}
        if known.state is JobState.STOPPING and known.stop_cause is StopCause.CANCEL:
            return Decision(reply=reply, status=202)
        stopping = JobStopping(
            job=job,
            attempt=str(known.attempt),
            cause=StopCause.CANCEL.value,
            grace_ms=known.grace_ms,
            by=actor.token,
        )
        return Decision(events=(stopping,), reply=reply, status=202)

    return decide
