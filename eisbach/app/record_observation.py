"""What an engine saw becomes events: running, ended, whose fault it was, what it costs, whether it is tried again."""

from typing import Final

from eisbach.app import money
from eisbach.app.commands import Command, Context, Decision
from eisbach.app.events import AttemptEnded, AttemptRunning
from eisbach.app.notice_nodes import TELLING, after_end
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_where_kept
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import Fault, JobState, Outcome, StopCause
from eisbach.core.vocabulary.interval import end_of_month
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import Ending, Observation

OWN_FAULT_TRIES_MAX: Final = 10
"""So often an attempt may fail through a fault of ours before the job is given up as lost."""

DETAIL_LENGTH_MAX: Final = 500
RETRY_DELAY_MAX_MS: Final = 60 * SECOND_MS


class Verdict:
    """How an attempt ended and whose fault it was; `words` are the same three as events say them, `is_final` that no other
    attempt follows, and `job_outcome` what the job's outcome is called where none does."""

    __slots__ = ("fault", "is_final", "is_ours", "job_outcome", "outcome", "words")

    def __init__(self, outcome: Outcome, fault: Fault, reason: Reason) -> None:
        self.outcome, self.fault, self.is_ours = outcome, fault, fault.is_ours
        self.words = (outcome.value, fault.value, reason.value)
        self.is_final = not self.is_ours and outcome is not Outcome.FAILED
        # A job that is given up after many faults of ours is lost, whatever its last attempt's fault was called.
        self.job_outcome: str = Outcome.LOST.value if self.is_ours else outcome.value


_VERDICTS: Final = {
    Ending.EXITED: Verdict(Outcome.SUCCEEDED, Fault.NONE, Reason.SUCCEEDED),
    Ending.FAILED: Verdict(Outcome.FAILED, Fault.CUSTOMER, Reason.TASK_FAILED),
    Ending.OUT_OF_MEMORY: Verdict(Outcome.OUT_OF_MEMORY, Fault.CUSTOMER, Reason.OUT_OF_MEMORY),
    Ending.TIMED_OUT: Verdict(Outcome.TIMED_OUT, Fault.CUSTOMER, Reason.TIMED_OUT),
    Ending.REFUSED: Verdict(Outcome.REFUSED_LATE, Fault.CUSTOMER, Reason.INVALID_TASK),
    Ending.DISK_FULL: Verdict(Outcome.LOST, Fault.OPERATOR, Reason.DISK_FULL),
    Ending.LOST: Verdict(Outcome.LOST, Fault.OPERATOR, Reason.ENGINE_LOST_IT),
    Ending.NODE_LOST: Verdict(Outcome.LOST, Fault.HARDWARE, Reason.NODE_LOST),
    Ending.STOPPED: Verdict(Outcome.LOST, Fault.OPERATOR, Reason.ENGINE_LOST_IT),  # by nobody whom we know
}
_STOPPED: Final = {
    StopCause.CANCEL: Verdict(Outcome.CANCELLED, Fault.CUSTOMER, StopCause.CANCEL.reason),
    StopCause.BUDGET: Verdict(Outcome.OUT_OF_BUDGET, Fault.CUSTOMER, StopCause.BUDGET.reason),
    StopCause.PREEMPTION: Verdict(Outcome.PREEMPTED, Fault.PREEMPTION, StopCause.PREEMPTION.reason),
    StopCause.POWER_CAP: Verdict(Outcome.PREEMPTED, Fault.PREEMPTION, StopCause.POWER_CAP.reason),
    StopCause.DRAIN: Verdict(Outcome.PREEMPTED, Fault.OPERATOR, StopCause.DRAIN.reason),
    StopCause.PLACEMENT: Verdict(Outcome.PREEMPTED, Fault.OPERATOR, StopCause.PLACEMENT.reason),
}
# One look-up each: a class of words is asked for a member by a call in Python.
_ENGINE_STOPPED: Final = Ending.STOPPED
_STOPPING: Final = JobState.STOPPING
_ENDED: Final = JobState.ENDED.value
_WAITING: Final = JobState.WAITING.value
_ENDINGS: Final = {one: one.value for one in Ending}


def command(seen: Observation) -> Command:
    """Return the command that records an observation; one of an attempt that is over changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        job = state.scheduler.holding.get(seen.attempt_id)
        if job is None:
            return Decision(reply={"attempt": seen.attempt_id, "known": False})
        if job.running_ms is None and seen.running_since_ms is not None:
            since_ms = seen.running_since_ms
            job_since_ms = since_ms if job.started_ms is None else job.started_ms
            running = AttemptRunning(seen.attempt_id, job.job, since_ms, job_since_ms, job.state is _STOPPING)
            return Decision((running,), again=seen.ending is not None)
        if seen.ending is None:
            return Decision(reply={"attempt": seen.attempt_id, "known": True})
        return end_of(state, context, job, seen)

    return decide


def _verdict_of_stop(ending: Ending, cause: StopCause) -> Verdict:
    """Return how an attempt ended that was to stop: what a tenant or a budget stopped is not retried when lost."""
    if ending is _ENGINE_STOPPED or (cause in (StopCause.CANCEL, StopCause.BUDGET) and ending is not Ending.EXITED):
        return _STOPPED[cause]
    return _VERDICTS[ending]


def end_of(state: FactoryState, context: Context, job: ActiveJob, seen: Observation) -> Decision:
    """Return what the end of an attempt brings, for its money, its job and its nodes; `again` until it is all."""
    ending, attempt, held_ms = seen.ending, seen.attempt_id, seen.held_ms
    used, now = seen.usage, context.now
    if ending is None:
        raise BrokenInvariant("only an ended attempt is settled for good")
    ended_ms = seen.ended_at_ms or now
    if ended_ms > now:
        ended_ms = now
    account = state.accounts[job.job]
    if ended_ms >= end_of_month(account.period):
        opened = money.open_period(state, job.project, ended_ms)
        if opened is not None:
            return Decision(events=(opened,), again=True)
        turned = money.turn_of_month(state, job, held_ms, ended_ms)
        if turned is not None:
            return Decision(events=(turned,), again=True)
    verdict = _VERDICTS[ending] if job.stop_cause is None else _verdict_of_stop(ending, job.stop_cause)
    outcome, fault, reason = verdict.words
    is_over = verdict.is_final or not _is_tried_again(job, verdict, held_ms)
    after = _ENDED if is_over else _WAITING
    settled = money.settle(state, job, held_ms, is_charged=not verdict.is_ours, is_over=is_over)
    said = seen.detail[:DETAIL_LENGTH_MAX]
    commitment, texts = commit_where_kept(context, attempt, "detail", str, said) if said else ("", ())
    # All fields in their order: of more than fifteen names Python makes a dictionary, which costs more than the event.
    event = AttemptEnded(
        attempt, job.job, _ENDINGS[ending], outcome, fault, reason,
        held_ms, settled.charged_ms, settled.charged, settled.job_charged, settled.job_charged_ms,
        seen.exit_code, seen.rank, seen.running_since_ms, ended_ms,
        used.cpu_ms, used.memory_peak_mib, used.memory_is_polled, used.log_bytes,
        commitment, after, verdict.job_outcome if is_over else "", 0 if is_over else _not_before(job, verdict, now), settled.transfers,
    )  # fmt: skip
    given_up = () if is_over else money.give_up_short(state, job, settled, settled.job_charged - account.charged)
    noticed = after_end(state, context, job, seen) if ending in TELLING else ()
    reply = {"attempt": attempt, "job": job.job, "state": after}
    return Decision((event, *given_up, *noticed), texts, reply)


def _is_tried_again(job: ActiveJob, verdict: Verdict, held_ms: int) -> bool:
    """Return whether another attempt follows; of a verdict that is not final."""
    if verdict.is_ours:  # preempted however often: nothing is wrong with it
        return verdict.fault is Fault.PREEMPTION or job.failures_ours + 1 < OWN_FAULT_TRIES_MAX
    return job.failures_own + 1 < job.attempts_max and job.remaining_ms > held_ms


def _not_before(job: ActiveJob, verdict: Verdict, now: int) -> int:
    """The first retry comes at once; later ones after 1, 2, 4 ... seconds, so that a broken node is not hammered."""
    if verdict.fault is Fault.PREEMPTION:
        return 0
    failures = job.failures_ours if verdict.is_ours else job.failures_own
    if failures == 0:
        return 0
    return int(now + min(RETRY_DELAY_MAX_MS, SECOND_MS << min(failures - 1, 16)))
