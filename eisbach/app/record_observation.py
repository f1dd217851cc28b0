"""What an engine saw becomes events: running, ended, whose fault it was, what it costs, whether it is tried again."""

from typing import Final, NamedTuple

from eisbach.app import money
from eisbach.app.commands import Command, Context, Decision
from eisbach.app.events import AttemptEnded, AttemptRunning
from eisbach.app.notice_nodes import after_end
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_where_kept
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import Fault, JobState, Outcome, StopCause
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import Ending, Observation

OWN_FAULT_TRIES_MAX: Final = 10
"""So often an attempt may fail through a fault of ours before the job is given up as lost."""

DETAIL_LENGTH_MAX: Final = 500
RETRY_DELAY_MAX_MS: Final = 60 * SECOND_MS


class Verdict(NamedTuple):
    """How an attempt ended and whose fault it was; `words` are the same three as events say them."""

    outcome: Outcome
    fault: Fault
    reason: Reason
    is_ours: bool
    words: tuple[str, str, str]


def _verdict(outcome: Outcome, fault: Fault, reason: Reason) -> Verdict:
    return Verdict(outcome, fault, reason, fault.is_ours, (outcome.value, fault.value, reason.value))


_VERDICTS: Final = {
    Ending.EXITED: _verdict(Outcome.SUCCEEDED, Fault.NONE, Reason.SUCCEEDED),
    Ending.FAILED: _verdict(Outcome.FAILED, Fault.CUSTOMER, Reason.TASK_FAILED),
    Ending.OUT_OF_MEMORY: _verdict(Outcome.OUT_OF_MEMORY, Fault.CUSTOMER, Reason.OUT_OF_MEMORY),
    Ending.TIMED_OUT: _verdict(Outcome.TIMED_OUT, Fault.CUSTOMER, Reason.TIMED_OUT),
    Ending.REFUSED: _verdict(Outcome.REFUSED_LATE, Fault.CUSTOMER, Reason.INVALID_TASK),
    Ending.DISK_FULL: _verdict(Outcome.LOST, Fault.OPERATOR, Reason.DISK_FULL),
    Ending.LOST: _verdict(Outcome.LOST, Fault.OPERATOR, Reason.ENGINE_LOST_IT),
    Ending.NODE_LOST: _verdict(Outcome.LOST, Fault.HARDWARE, Reason.NODE_LOST),
}
_STOPPED: Final = {
    StopCause.CANCEL: _verdict(Outcome.CANCELLED, Fault.CUSTOMER, StopCause.CANCEL.reason),
    StopCause.BUDGET: _verdict(Outcome.OUT_OF_BUDGET, Fault.CUSTOMER, StopCause.BUDGET.reason),
    StopCause.PREEMPTION: _verdict(Outcome.PREEMPTED, Fault.PREEMPTION, StopCause.PREEMPTION.reason),
    StopCause.POWER_CAP: _verdict(Outcome.PREEMPTED, Fault.PREEMPTION, StopCause.POWER_CAP.reason),
    StopCause.DRAIN: _verdict(Outcome.PREEMPTED, Fault.OPERATOR, StopCause.DRAIN.reason),
    StopCause.PLACEMENT: _verdict(Outcome.PREEMPTED, Fault.OPERATOR, StopCause.PLACEMENT.reason),
}
_LOST: Final = Outcome.LOST.value
# One look-up each: a class of words is asked for a member by a call in Python.
_FAILED: Final = Outcome.FAILED
_ENGINE_STOPPED: Final = Ending.STOPPED
_JOB_ENDED: Final = JobState.ENDED
_STOPPING: Final = JobState.STOPPING
_ENDINGS: Final = {one: one.value for one in Ending}
_STATES: Final = {one: one.value for one in JobState}


def command(seen: Observation) -> Command:
    """Return the command that records an observation; one of an attempt that is over changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        job = state.scheduler.holding.get(seen.attempt_id)
        if job is None:
            return Decision(reply={"attempt": seen.attempt_id, "known": False})
        if job.running_ms is None and seen.running_since_ms is not None:
            running = AttemptRunning(
                attempt=seen.attempt_id,
                job=job.job,
                since_ms=seen.running_since_ms,
                job_since_ms=seen.running_since_ms if job.started_ms is None else job.started_ms,
                is_stopping=job.state is _STOPPING,
            )
            return Decision(events=(running,), again=seen.ending is not None)
        if seen.ending is None:
            return Decision(reply={"attempt": seen.attempt_id, "known": True})
        return end_of(state, context, job, seen)

    return decide


def verdict_of(ending: Ending, cause: StopCause | None) -> Verdict:
    """Return how an attempt ended and whose fault it was; a job that was to be stopped is not retried when lost."""
    if cause is None:
        return _VERDICTS[ending if ending is not _ENGINE_STOPPED else Ending.LOST]
    if ending is _ENGINE_STOPPED or (cause in (StopCause.CANCEL, StopCause.BUDGET) and ending is not Ending.EXITED):
        return _STOPPED[cause]
    return _VERDICTS[ending]


def end_of(state: FactoryState, context: Context, job: ActiveJob, seen: Observation) -> Decision:
    """Return what the end of an attempt brings, for its money, its job and its nodes; `again` until it is all."""
    ending, attempt, held_ms, used, now = seen.ending, seen.attempt_id, seen.held_ms, seen.usage, context.now
    if ending is None:
        raise BrokenInvariant("only an ended attempt is settled for good")
    ended_ms = seen.ended_at_ms or now
    if ended_ms > now:
        ended_ms = now
    account = state.accounts[job.job]
    if account.period < month_of(ended_ms):
        opened = money.open_period(state, job.project, ended_ms)
        if opened is not None:
            return Decision(events=(opened,), again=True)
        turned = money.turn_of_month(state, job, held_ms, ended_ms)
        if turned is not None:
            return Decision(events=(turned,), again=True)
    verdict = verdict_of(ending, job.stop_cause)
    outcome, fault, reason = verdict.words
    after = _next_state(job, verdict, held_ms)
    is_over, after_word = after is _JOB_ENDED, _STATES[after]
    settled = money.settle(state, job, held_ms, is_charged=not verdict.is_ours, is_over=is_over)
    said = seen.detail[:DETAIL_LENGTH_MAX]
    commitment, texts = commit_where_kept(context, attempt, "detail", lambda: said) if said else ("", ())
    # Most fields in their order: of more than fifteen names Python makes a dictionary, which costs more than the event.
    event = AttemptEnded(
        attempt, job.job, _ENDINGS[ending], outcome, fault, reason,
        held_ms, settled.charged_ms, settled.charged, settled.job_charged, settled.job_charged_ms,
        seen.exit_code, seen.rank, seen.running_since_ms, ended_ms,
        used.cpu_ms, used.memory_peak_mib, used.memory_is_polled, used.log_bytes,
        detail=commitment,
        next=after_word,
        job_outcome=_job_outcome(verdict) if is_over else "",
        not_before_ms=0 if is_over else _not_before(job, verdict, now),
        transfers=settled.transfers,
    )  # fmt: skip
    given_up = () if is_over else money.give_up_short(state, job, settled, settled.job_charged - account.charged)
    noticed = after_end(state, context, job, seen)
    reply = {"attempt": attempt, "job": job.job, "state": after_word}
    return Decision(events=(event, *given_up, *noticed), texts=texts, reply=reply)


def _job_outcome(verdict: Verdict) -> str:
    """A job that is given up after many faults of ours is lost, whatever its last attempt's fault was called."""
    return _LOST if verdict.is_ours else verdict.words[0]


def _next_state(job: ActiveJob, verdict: Verdict, held_ms: int) -> JobState:
    if verdict.is_ours:
        is_given_up = verdict.fault is not Fault.PREEMPTION and job.failures_ours + 1 >= OWN_FAULT_TRIES_MAX
        return _JOB_ENDED if is_given_up else JobState.WAITING  # preempted however often: nothing is wrong with it
    if verdict.outcome is not _FAILED:
        return _JOB_ENDED
    tries_left = job.failures_own + 1 < job.attempts_max
    time_left = job.remaining_ms - held_ms > 0
    return JobState.WAITING if tries_left and time_left else _JOB_ENDED


def _not_before(job: ActiveJob, verdict: Verdict, now: int) -> int:
    """The first retry comes at once; later ones after 1, 2, 4 ... seconds, so that a broken node is not hammered."""
    if verdict.fault is Fault.PREEMPTION:
        return 0
    failures = job.failures_ours if verdict.is_ours else job.failures_own
    if failures == 0:
        return 0
    return int(now + min(RETRY_DELAY_MAX_MS, SECOND_MS << min(failures - 1, 16)))
