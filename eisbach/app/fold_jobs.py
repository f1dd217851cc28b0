"""Folding events about jobs and their attempts into the state."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from eisbach.app import events as e
from eisbach.app import fold_booking, fold_energy, fold_health, fold_promises, fold_shares
from eisbach.app.places import where_for
from eisbach.app.state import FactoryState, JobAccount
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.share import share_of_fields
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.lifecycle import Fault, JobState, StopCause
from eisbach.core.jobs.placement import PlacementRule, rule_of
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.ledger.transfer import TransferKind, reserved_by
from eisbach.core.scheduling.order import Request
from eisbach.core.vocabulary.invariant import BrokenInvariant, require
from eisbach.ports.engine import Ending

KINDS_MAX: Final = 4_096
"""Kinds of jobs that are remembered; many users submit the same again and again."""

# One look-up each: a class of words is asked for a member by a call in Python.
_CLASSES: Final = {one.value: one for one in CapacityClass}
_LEVELS: Final = {one.value: one for one in Level}
_STATES: Final = {one.value: one for one in JobState}
_FAULTS: Final = {one.value: one for one in Fault}
_ENDED: Final = JobState.ENDED.value
_NO_FAULT: Final = Fault.NONE
_PREEMPTION: Final = Fault.PREEMPTION
_CUSTOMER: Final = Fault.CUSTOMER
_SPOT: Final = CapacityClass.SPOT
_EXITED: Final = Ending.EXITED.value


class _Kind:
    """What all jobs have in common that are submitted in the same words: found once, and the same objects for each of them.

    Remembered until a rule or a site changes, as where they may be follows from these.
    """

    __slots__ = ("capacity_class", "placement", "request", "shapes", "where", "within")

    def __init__(self, state: FactoryState, body: e.JobSubmitted) -> None:
        self.shapes = _shapes(body.shapes, body.parts)
        self.capacity_class: CapacityClass = _CLASSES[body.capacity_class]
        self.placement: PlacementRule = rule_of(body.placement)
        self.where: Where = where_for(state, body.project, self.placement, body.data)
        self.within = Within(_LEVELS[body.within], body.within_required) if body.within else None
        self.request: Request | None = None
        """what the queue calls it, once one of them has waited"""


def _kind(state: FactoryState, body: e.JobSubmitted) -> _Kind:
    words = (
        body.project, body.shapes, body.nodes, body.capacity_class, body.parts, body.within, body.within_required,
        body.booking, body.placement, body.data,
    )  # fmt: skip
    known: _Kind | None = state.kinds.get(words)
    if known is None:
        if len(state.kinds) >= KINDS_MAX:
            state.kinds.clear()
        known = state.kinds[words] = _Kind(state, body)
    return known


@lru_cache(maxsize=KINDS_MAX)
def _shapes(shapes: tuple[e.ShapeTuple, ...], parts: tuple[e.PartTuple, ...]) -> tuple[NodeShape, ...]:
    """Return the same shapes for the same words, of whichever kind: the fleet knows them by their identity."""
    if not parts:
        return tuple(
            NodeShape(cpu_milli=cpu, memory_mib=memory, gpus=gpus, flavour=flavour) for cpu, memory, gpus, flavour in shapes
        )
    return tuple(
        NodeShape(cpu_milli=cpu, memory_mib=memory, gpus=gpus, flavour=flavour, gpu_milli=gpu_milli, mig=mig)
        for (cpu, memory, gpus, flavour), (gpu_milli, mig) in zip(shapes, parts, strict=True)
    )


def _job(state: FactoryState, seq: int, at_ms: int, body: e.JobSubmitted) -> None:
    kind, name, project = _kind(state, body), body.job, body.project
    nodes, limit_ms, by = body.nodes, body.limit_ms, body.by
    cap, is_funded = body.cap, body.funded
    if body.data:
        state.data.used_by[name] = body.data
    # The fields in their order: Python looks for the place of each that is named.
    job = ActiveJob(
        name, project, seq, at_ms, nodes, kind.shapes, kind.capacity_class, limit_ms, body.grace_ms,
        body.attempts_max, is_funded, kind.placement, kind.where, kind.within, body.booking, by,
        fold_shares.predicted_ms(state, project, by, nodes, limit_ms), kind.request,
    )  # fmt: skip
    state.accounts[name] = JobAccount(project, body.period, body.prices, cap, cap if is_funded else 0)
    state.scheduler.note_submitted(job)
    state.scheduler.add(job)
    kind.request = job.request
    state.totals["submitted"] = state.totals.get("submitted", 0) + 1


def _job_funded(state: FactoryState, seq: int, at_ms: int, body: e.JobFunded) -> None:
    account = state.accounts[body.job]
    account.period = body.period
    account.reserved = sum(amount for _, _, amount, kind in body.transfers if kind == TransferKind.RESERVE.value)
    state.scheduler.fund(state.scheduler.jobs[body.job])


def _reservation_moved(state: FactoryState, seq: int, at_ms: int, body: e.ReservationMoved) -> None:
    account = state.accounts[body.job]
    account.period = body.period
    account.reserved += reserved_by(body.transfers)
    if not body.funded:
        state.scheduler.unfund(state.scheduler.jobs[body.job])


def _job_stopping(state: FactoryState, seq: int, at_ms: int, body: e.JobStopping) -> None:
    job = state.scheduler.jobs[body.job]
    state.scheduler.stop(job, StopCause(body.cause), body.grace_ms, at_ms, body.notice_ms)


def _job_ended(state: FactoryState, seq: int, at_ms: int, body: e.JobEnded) -> None:
    state.scheduler.drop(state.scheduler.jobs[body.job])
    state.accounts.pop(body.job)
    state.data.used_by.pop(body.job, None)
    state.totals[body.outcome] = state.totals.get(body.outcome, 0) + 1


def _attempt_planned(state: FactoryState, seq: int, at_ms: int, body: e.AttemptPlanned) -> None:
    job = state.scheduler.jobs[body.job]
    where = job.where
    if body.policy_version != state.policy.version and body.policy_version != -1:
        raise BrokenInvariant("an attempt is planned by the rules that hold")
    if where.sites is not None:
        nodes = state.scheduler.fleet.nodes
        require(all(where.allows(nodes[task[1]]) for task in body.tasks), "nothing is placed where rules forbid it")
    shape = job.shapes[body.shape]
    held = (where.tenant, shape.gpu_milli, shape.mig)
    if body.slots:
        shares = tuple([share_of_fields((*task, *held, slot)) for task, slot in zip(body.tasks, body.slots, strict=True)])
    else:
        unsliced = (*held, 0)
        shares = tuple([share_of_fields(task + unsliced) for task in body.tasks])
    state.scheduler.start(job, body.attempt, body.shape, shares, at_ms)
    account = state.accounts[body.job]
    account.begin_attempt(account.prices[body.shape], body.free_ms)


def _attempt_running(state: FactoryState, seq: int, at_ms: int, body: e.AttemptRunning) -> None:
    job = state.scheduler.jobs[body.job]
    if job.booking:
        fold_booking.note_used(state, job, at_ms)
    state.scheduler.run(job, body.since_ms, body.job_since_ms)


def _usage_settled(state: FactoryState, seq: int, at_ms: int, body: e.UsageSettled) -> None:
    job, account = state.scheduler.jobs[body.job], state.accounts[body.job]
    if job.capacity_class is _SPOT:
        fold_booking.note_paid(state, job, body.held_ms, body.charged)
    account.attempt_ms, account.attempt_charged = body.charged_ms, body.charged
    state.scheduler.fair_share.charge(job.project, job.gpu_milli * (body.held_ms - account.attempt_settled_ms), at_ms)
    account.attempt_settled_ms = body.held_ms
    account.period = body.next_period
    account.reserved += reserved_by(body.transfers)


def _attempt_ended(state: FactoryState, seq: int, at_ms: int, body: e.AttemptEnded) -> None:
    scheduler, name, after = state.scheduler, body.job, body.next
    used_ms, charged = body.charged_ms, body.charged
    account, job = state.accounts[name], scheduler.jobs[name]
    gpu_milli, held_ms = job.gpu_milli, body.held_ms
    site = scheduler.fleet.nodes[job.shares[0].node].site  # a gang is at one site
    if gpu_milli:
        project = job.project
        state.gpu_milli_ms[project] = state.gpu_milli_ms.get(project, 0) + gpu_milli * held_ms
        scheduler.fair_share.charge(project, gpu_milli * (held_ms - account.attempt_settled_ms), at_ms)
        fold_promises.hold(state, site, gpu_milli, held_ms)
    if job.capacity_class is _SPOT:
        fold_booking.note_paid(state, job, held_ms, charged)
    account.attempt_ms, account.attempt_charged = used_ms, charged
    account.reserved += reserved_by(body.transfers)
    fault = _FAULTS[body.fault]
    if account.free_ms and not fault.is_ours:
        used_ms += account.use_free(held_ms)
    job.use(used_ms)
    if fault is not _NO_FAULT:
        if fault is _PREEMPTION:
            job.preemptions += 1
        elif fault is _CUSTOMER:
            job.failures_own += 1
        else:
            job.failures_ours += 1
    job.not_before_ms = body.not_before_ms
    if site in state.energy.meters:  # nobody accounts for the energy of a site in the twin, unless it is asked for
        fold_energy.note_end(state, job, site, body.ended_ms, body.cpu_ms)
    if body.ending != _EXITED or job.booking or state.health.failures:  # else it says nothing about nodes
        fold_health.note_end(state, job, body)
    scheduler.release(job, after=_STATES[after])
    if after == _ENDED:
        fold_shares.note_run(state, job, body)
        if account.reserved:
            raise BrokenInvariant("a job that has ended holds no reservation")
        del state.accounts[name]
        if state.data.used_by:
            state.data.used_by.pop(name, None)
        outcome = body.job_outcome
        state.totals[outcome] = state.totals.get(outcome, 0) + 1


CHANGES: Final[dict[type[e.Body], Callable[[FactoryState, int, int, Any], None]]] = {
    e.JobSubmitted: _job,
    e.JobFunded: _job_funded,
    e.ReservationMoved: _reservation_moved,
    e.JobStopping: _job_stopping,
    e.JobEnded: _job_ended,
    e.AttemptPlanned: _attempt_planned,
    e.AttemptRunning: _attempt_running,
    e.UsageSettled: _usage_settled,
    e.AttemptEnded: _attempt_ended,
}
