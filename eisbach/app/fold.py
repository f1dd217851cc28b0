"""Folding events into the state: one function for each kind, nothing else ever changes the state."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from eisbach.app import events as e
from eisbach.app import (
    fold_billing,
    fold_booking,
    fold_data,
    fold_energy,
    fold_exit,
    fold_health,
    fold_jobs,
    fold_planning,
    fold_policy,
    fold_promises,
    fold_shares,
    fold_usage,
)
from eisbach.app.as_told import as_told
from eisbach.app.exit_catalogue import EXPORTED, After
from eisbach.app.places import compile_again
from eisbach.app.state import FactoryState, Organisation, Project, Site, Token
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.invariant import BrokenInvariant, require


def apply(state: FactoryState, seq: int, at_ms: int, body: e.Body) -> None:
    """Make an event of the log true in the state. The same events in the same order give the same state, byte for byte."""
    if seq != state.next_seq:
        raise BrokenInvariant(f"the log has no gaps: expected event {state.next_seq}, got {seq}")
    apply_next(state, at_ms, body)


def apply_next(state: FactoryState, at_ms: int, body: e.Body) -> None:
    """Make an event true that is the next one of the log."""
    seq = state.next_seq
    state.next_seq = seq + 1
    if at_ms > state.last_ms:
        state.last_ms = at_ms
    change, has_transfers, is_priced_anew, frees = _FOLDS[type(body)]
    if has_transfers and body.transfers:  # type: ignore[attr-defined]
        state.ledger.post(body.transfers)  # type: ignore[attr-defined]
    change(state, seq, at_ms, body)
    if frees:
        state.scheduler.note_freed(at_ms)
    if is_priced_anew:
        state.priced.clear()
        state.terms.clear()
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


def _only_history(state: FactoryState, seq: int, at_ms: int, body: e.Body) -> None:
    """Nothing but its transfers follows from it."""


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
    state.projects[body.project].open(body.period)


def _token(state: FactoryState, seq: int, at_ms: int, body: e.TokenIssued) -> None:
    state.tokens[body.token] = Token(
        body.token, body.role, body.organisation, body.project, body.digest, body.expires_ms
    )
    state.token_of_digest[body.digest] = body.token


def _token_revoked(state: FactoryState, seq: int, at_ms: int, body: e.TokenRevoked) -> None:
    state.tokens[body.token].is_revoked = True


def _archive(state: FactoryState, seq: int, at_ms: int, body: e.ArchiveReceived) -> None:
    state.archives.setdefault(body.project, set()).add(body.archive)


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
    **fold_jobs.CHANGES,
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
    body: (_CHANGES.get(body, _only_history), "transfers" in body.__struct_fields__, body in _PRICES_FOLLOW, body in fold_planning.FREES) for body in e.KIND_OF
}
_FOLDS[e.RecordImported] = (_apply_told, False, False, False)
"""kind -> what it changes, whether it may move money, whether prices follow from it, and whether it lets go of something"""
