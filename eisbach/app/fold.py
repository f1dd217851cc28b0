"""Folding events into the state: one function for each kind, nothing else ever changes the state."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from eisbach.app import events as e
from eisbach.app import (
    fold_billing,
    fold_booking,
    fold_data,
    fold_energy,
    fold_exit,
    fold_health,
    fold_planning,
    fold_policy,
    fold_promises,
    fold_shares,
    fold_usage,
)
from eisbach.app.as_told import as_told
from eisbach.app.exit_catalogue import EXPORTED, After
from eisbach.app.places import compile_again, where_for
from eisbach.app.state import FactoryState, JobAccount, Organisation, Project, Site, Token
from eisbach.core.admission.state import ActiveJob
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.share import share_of_fields
from eisbach.core.jobs.lifecycle import Fault, JobState, StopCause
from eisbach.core.jobs.placement import NO_RULE, rule_of
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.ledger.transfer import TransferKind, reserved_by
from eisbach.core.vocabulary.invariant import BrokenInvariant, require

SHAPES_KEPT: Final = 4096


def apply(state: FactoryState, seq: int, at_ms: int, body: e.Body) -> None:
    """Make an event true in the state. The same events in the same order give the same state, byte for byte."""
    if seq != state.next_seq:
        raise BrokenInvariant(f"the log has no gaps: expected event {state.next_seq}, got {seq}")
    state.next_seq = seq + 1
    if at_ms > state.last_ms:
        state.last_ms = at_ms
    change, has_transfers, is_priced_anew, frees = _FOLDS[type(body)]
    if has_transfers and body.transfers:  # type: ignore[attr-defined]
        state.ledger.post(body.transfers)  # type: ignore[attr-defined]
    if change is not None:
        change(state, seq, at_ms, body)
    if frees:
        state.scheduler.note_freed(at_ms)
    if is_priced_anew:
        state.priced.clear()
        state.outlook = None


def _apply_told(state: FactoryState, seq: int, at_ms: int, body: e.Body) -> None:
    """Make true what an imported record tells of."""
    told_ms, told = as_told(at_ms, body)
    transfers: Iterable[e.TransferTuple] = getattr(told, "transfers", ())
    if transfers:
        state.ledger.post(transfers)
        if told is not body:
            fold_exit.charged_elsewhere(state, seq, transfers)
    change = _CHANGES.get(type(told)) if told is body or type(told) in _CONTINUED else None
    if change is not None:
        change(state, seq, told_ms, told)


def _opened(state: FactoryState, seq: int, at_ms: int, body: e.FactoryOpened) -> None:
    state.origin = body.origin


def _site(state: FactoryState, seq: int, at_ms: int, body: e.SiteDeclared | e.SiteChanged) -> None:
    state.policy.facts[body.site] = seq
    state.sites[body.site] = Site(
        site=body.site,
        country=body.country,
        operator=body.operator,
        operator_country=body.operator_country,
        parent_country=body.parent_country or body.operator_country,
        is_simulated=body.simulated,
    )
    compile_again(state, seq)
    if body.metered:
        fold_energy.note_site(state, body.site, at_ms)


def _node(state: FactoryState, seq: int, at_ms: int, body: e.NodeDeclared) -> None:
    state.scheduler.fleet.add(
        Node(
            node=body.node,
            pool=body.pool,
            site=body.site,
            flavour=body.flavour,
            cpu_milli=body.cpu_milli,
            memory_mib=body.memory_mib,
            gpus=body.gpus,
            hall=body.hall,
            row=body.row,
            rack=body.rack,
            nvlink=body.nvlink,
            from_ms=body.from_ms,
        )
    )
    fold_health.note_commissioning(state, body.node, at_ms, body.from_ms)
    fold_promises.commission(state, body.site, fold_health.gpus_there(state, body.node), at_ms)
    state.scheduler.note_nodes()


def _node_changed(state: FactoryState, seq: int, at_ms: int, body: e.NodeChanged) -> None:
    before = state.scheduler.fleet.nodes[body.node]
    require(before.is_idle, "a node in use is never changed")
    changed = Node(
        node=body.node,
        pool=body.pool,
        site=body.site or before.site,
        flavour=body.flavour,
        cpu_milli=body.cpu_milli,
        memory_mib=body.memory_mib,
        gpus=body.gpus,
        hall=body.hall,
        row=body.row,
        rack=body.rack,
        nvlink=body.nvlink,
        from_ms=body.from_ms,
        drained=body.drained,
        drained_by=before.drained_by if body.drained else "",
    )
    fold_promises.commission(state, before.site, -fold_health.gpus_there(state, body.node), at_ms)
    changed.dated_ms = before.dated_ms
    state.scheduler.fleet.replace(changed)
    fold_health.note_commissioning(state, body.node, at_ms, body.from_ms)
    fold_health.note_drain(state, body.node, is_cordon=body.drained and body.node in state.health.cordoned)
    state.scheduler.agenda.shake()
    fold_promises.commission(state, changed.site, fold_health.gpus_there(state, body.node), at_ms)


def _node_drained(state: FactoryState, seq: int, at_ms: int, body: e.NodeDrained) -> None:
    node = state.scheduler.fleet.nodes[body.node]
    before = fold_health.gpus_there(state, body.node)
    node.drained, node.drained_by = body.drained, body.by if body.drained else ""
    fold_health.note_drain(state, body.node, is_cordon=body.drained and body.keeps_work, is_removed=body.removed)
    fold_promises.commission(state, node.site, fold_health.gpus_there(state, body.node) - before, at_ms)


def _tariff(state: FactoryState, seq: int, at_ms: int, body: e.TariffPublished) -> None:
    tariff = Tariff(
        version=body.version,
        label=body.label,
        valid_from_ms=body.valid_from_ms,
        valid_until_ms=body.valid_until_ms,
        core_hour=body.core_hour,
        memory_gib_hour=body.memory_gib_hour,
        gpu_hour=dict(body.gpu_hour),
        spot_permille=body.spot_permille,
        booking=BookingRules(**body.booking_rules),
    )
    state.prices.publish(tariff)


def _tariff_withdrawn(state: FactoryState, seq: int, at_ms: int, body: e.TariffWithdrawn) -> None:
    state.prices.withdraw(body.version)


def _organisation(state: FactoryState, seq: int, at_ms: int, body: e.OrganisationCreated) -> None:
    state.organisations[body.organisation] = Organisation(body.organisation, body.parent, "", body.segment)
    fold_shares.join(state, body.organisation, body.parent, body.segment)


def _project(state: FactoryState, seq: int, at_ms: int, body: e.ProjectCreated) -> None:
    state.projects[body.project] = Project(body.project, body.organisation, "", body.budget)
    state.scheduler.fair_share.add(body.project, body.organisation)


def _budget(state: FactoryState, seq: int, at_ms: int, body: e.BudgetSet) -> None:
    state.projects[body.project].budget = body.budget


def _period(state: FactoryState, seq: int, at_ms: int, body: e.PeriodOpened) -> None:
    state.projects[body.project].period = body.period


def _token(state: FactoryState, seq: int, at_ms: int, body: e.TokenIssued) -> None:
    state.tokens[body.token] = Token(
        body.token, body.role, body.organisation, body.project, body.digest, body.expires_ms
    )
    state.token_of_digest[body.digest] = body.token


def _token_revoked(state: FactoryState, seq: int, at_ms: int, body: e.TokenRevoked) -> None:
    state.tokens[body.token].is_revoked = True


def _archive(state: FactoryState, seq: int, at_ms: int, body: e.ArchiveReceived) -> None:
    state.archives.setdefault(body.project, set()).add(body.archive)


def _job(state: FactoryState, seq: int, at_ms: int, body: e.JobSubmitted) -> None:
    placement = rule_of(body.placement) if body.placement else NO_RULE
    if body.data:
        state.data.used_by[body.job] = body.data
    # The fields in their order: Python looks for the place of each that is named.
    job = ActiveJob(
        body.job, body.project, seq, at_ms, body.nodes, _shapes(body.shapes, body.parts), _CLASSES[body.capacity_class],
        body.limit_ms, body.grace_ms, body.attempts_max, body.funded, placement, where_for(state, body.project, placement, body.data),
    )  # fmt: skip
    job.predicted_ms = fold_shares.predict(state, body)
    job.submitter = body.by
    if body.within:
        job.within = Within(Level(body.within), body.within_required)
    if body.booking:
        job.booking = body.booking
    state.accounts[body.job] = JobAccount(body.project, body.period, body.prices, body.cap, body.cap if body.funded else 0)
    state.scheduler.note_submitted(job)
    state.scheduler.add(job)
    state.totals["submitted"] = state.totals.get("submitted", 0) + 1


@lru_cache(maxsize=SHAPES_KEPT)
def _shapes(shapes: tuple[e.ShapeTuple, ...], parts: tuple[e.PartTuple, ...]) -> tuple[NodeShape, ...]:
    """Return the same shapes for the same words: what is compared all the time is equal because it is the same."""
    if not parts:
        return tuple(
            NodeShape(cpu_milli=cpu, memory_mib=memory, gpus=gpus, flavour=flavour) for cpu, memory, gpus, flavour in shapes
        )
    return tuple(
        NodeShape(cpu_milli=cpu, memory_mib=memory, gpus=gpus, flavour=flavour, gpu_milli=gpu_milli, mig=mig)
        for (cpu, memory, gpus, flavour), (gpu_milli, mig) in zip(shapes, parts, strict=True)
    )


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
        shares = tuple([share_of_fields((*task, *unsliced)) for task in body.tasks])
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


_CLASSES: Final = {one.value: one for one in CapacityClass}
_STATES: Final = {one.value: one for one in JobState}
_FAULTS: Final = {one.value: one for one in Fault}
_ENDED: Final = JobState.ENDED.value
_NO_FAULT: Final = Fault.NONE
_SPOT: Final = CapacityClass.SPOT


def _attempt_ended(state: FactoryState, seq: int, at_ms: int, body: e.AttemptEnded) -> None:
    scheduler, account = state.scheduler, state.accounts[body.job]
    job = scheduler.jobs[body.job]
    gpu_milli, held_ms = job.gpu_milli, body.held_ms
    if gpu_milli:
        project = job.project
        state.gpu_milli_ms[project] = state.gpu_milli_ms.get(project, 0) + gpu_milli * held_ms
        scheduler.fair_share.charge(project, gpu_milli * (held_ms - account.attempt_settled_ms), at_ms)
        fold_promises.hold(state, job.shares[0].node, gpu_milli, held_ms)
    if job.capacity_class is _SPOT:
        fold_booking.note_paid(state, job, held_ms, body.charged)
    account.attempt_ms, account.attempt_charged = body.charged_ms, body.charged
    account.reserved += reserved_by(body.transfers)
    fault = _FAULTS[body.fault]
    used_ms = body.charged_ms
    if account.free_ms and not fault.is_ours:
        used_ms += account.use_free(held_ms)
    job.use(used_ms)
    if fault is not _NO_FAULT:
        if fault is Fault.PREEMPTION:
            job.preemptions += 1
        elif fault is Fault.CUSTOMER:
            job.failures_own += 1
        else:
            job.failures_ours += 1
    job.not_before_ms = body.not_before_ms
    fold_energy.note_end(state, job, body.ended_ms, body.cpu_ms)
    fold_health.note_end(state, job, body)
    scheduler.release(job, after=_STATES[body.next])
    if body.next == _ENDED:
        fold_shares.note_run(state, job, body)
        if account.reserved:
            raise BrokenInvariant("a job that has ended holds no reservation")
        del state.accounts[body.job]
        if state.data.used_by:
            state.data.used_by.pop(body.job, None)
        state.totals[body.job_outcome] = state.totals.get(body.job_outcome, 0) + 1


_CHANGES: Final[dict[type[e.Body], Callable[[FactoryState, int, int, Any], None]]] = {
    e.FactoryOpened: _opened,
    e.SiteDeclared: _site,
    e.SiteChanged: _site,
    e.NodeDeclared: _node,
    e.NodeChanged: _node_changed,
    e.NodeDrained: _node_drained,
    e.TariffPublished: _tariff,
    e.TariffWithdrawn: _tariff_withdrawn,
    e.OrganisationCreated: _organisation,
    e.ProjectCreated: _project,
    e.BudgetSet: _budget,
    e.PeriodOpened: _period,
    e.TokenIssued: _token,
    e.TokenRevoked: _token_revoked,
    e.ArchiveReceived: _archive,
    e.JobSubmitted: _job,
    e.JobFunded: _job_funded,
    e.ReservationMoved: _reservation_moved,
    e.JobStopping: _job_stopping,
    e.JobEnded: _job_ended,
    e.AttemptPlanned: _attempt_planned,
    e.AttemptRunning: _attempt_running,
    e.UsageSettled: _usage_settled,
    e.AttemptEnded: _attempt_ended,
    **fold_policy.CHANGES,
    **fold_data.CHANGES,
    **fold_energy.CHANGES,
    **fold_billing.CHANGES,
    **fold_promises.CHANGES,
    **fold_exit.CHANGES,
    **fold_planning.CHANGES,
    **fold_health.CHANGES,
    **fold_booking.CHANGES,
    **fold_shares.CHANGES,
    **fold_usage.CHANGES,
}
_CONTINUED: Final = frozenset(e.KINDS[kind] for kind, after in EXPORTED.items() if after is After.CONTINUED)
"""Bodies that change the state also when an imported record tells of them; of all others only history is left."""
_PRICES_FOLLOW: Final = frozenset({e.NodeDeclared, e.NodeChanged, e.NodeDrained, e.TariffPublished, e.TariffWithdrawn})
"""Kinds after which the same task may get another price or another refusal."""
_FOLDS: Final = {
    body: (_CHANGES.get(body), "transfers" in body.__struct_fields__, body in _PRICES_FOLLOW, body in fold_planning.FREES) for body in e.KIND_OF
}
_FOLDS[e.RecordImported] = (_apply_told, False, False, False)
"""kind -> what it changes, whether it may move money, whether prices follow from it, and whether it lets go of something"""
