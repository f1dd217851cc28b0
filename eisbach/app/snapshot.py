"""The state as bytes and back: what a restart begins from, and what two states are compared by."""

from hashlib import sha256

import msgspec

from eisbach.app.fold_booking import enter_all
from eisbach.app.fold_health import renew_available, restore_agenda
from eisbach.app.fold_planning import restore_planning, saved_planning
from eisbach.app.fold_shares import grow_tree
from eisbach.app.state import FactoryState, JobAccount, Organisation, Project, Site, Token
from eisbach.app.state_billing import BillingState
from eisbach.app.state_booking import BookingState
from eisbach.app.state_data import DataState
from eisbach.app.state_energy import EnergyState
from eisbach.app.state_exit import ExitState
from eisbach.app.state_health import HealthState
from eisbach.app.state_planning import PlanningState
from eisbach.app.state_policy import PolicyState
from eisbach.app.state_promises import PromiseState
from eisbach.app.state_shares import SharesState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.price_book import PriceBook
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.inventory import Node
from eisbach.core.ledger.post import Ledger
from eisbach.core.scheduling.typical import SavedTypical, Typical


class NodeRecord(msgspec.Struct, frozen=True):
    """A node's facts; what is free on it follows from the jobs."""

    node: str
    pool: str
    site: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    hall: str
    row: str
    rack: str
    nvlink: str
    from_ms: int
    drained: bool
    drained_by: str
    removed: bool


class TariffRecord(msgspec.Struct, frozen=True):
    """A tariff."""

    version: str
    label: str
    valid_from_ms: int
    core_hour: int
    memory_gib_hour: int
    gpu_hour: dict[str, int]
    spot_permille: int
    valid_until_ms: int | None
    booking: BookingRules


class Saved(msgspec.Struct, frozen=True):
    """A state: names of organisations and projects are left out (they are texts and may be erased)."""

    format: int
    origin: str
    next_seq: int
    last_ms: int
    jobs: list[ActiveJob]
    nodes: list[NodeRecord]
    balances: dict[str, int]
    accounts: dict[str, JobAccount]
    organisations: list[tuple[str, str | None, str]]
    projects: list[tuple[str, str, int, str]]
    tokens: list[Token]
    sites: list[Site]
    prices: list[TariffRecord]
    totals: dict[str, int]
    gpu_milli_ms: dict[str, int]
    archives: dict[str, list[str]]
    policy: PolicyState
    data: DataState
    energy: EnergyState
    billing: BillingState
    promises: PromiseState
    exit: ExitState
    planning: PlanningState
    health: HealthState
    booking: BookingState
    shares: SharesState
    usage: tuple[int, int, dict[str, str]] = (0, 0, {})
    typical: SavedTypical = ([], [], 0)
    holding: list[str] = []
    """attempts that hold shares, in the order in which they began to"""


FORMAT = 8
_encoder = msgspec.msgpack.Encoder()  # dicts keep their order: what is decided in it is the same after a restart
_encode_sorted = msgspec.msgpack.Encoder(order="deterministic").encode
"""For jobs alone: they hold sets and no dicts."""
_decoder = msgspec.msgpack.Decoder(Saved)


class UnreadableSnapshot(ValueError):
    """A snapshot of another format, or damaged: the state is read from the log instead."""


def encode_state(state: FactoryState) -> bytes:
    """Return the state as bytes; equal states give equal bytes."""
    scheduler = state.scheduler
    saved = Saved(
        format=FORMAT,
        origin=state.origin,
        next_seq=state.next_seq,
        last_ms=state.last_ms,
        jobs=msgspec.Raw(_encode_sorted(sorted(scheduler.jobs.values(), key=lambda job: job.seq))),  # type: ignore[arg-type]
        nodes=[_node_record(node) for node in scheduler.fleet.nodes.values()],
        balances={name: balance for name, balance in sorted(state.ledger.balances.items()) if balance},
        accounts=state.accounts,
        organisations=[(one.organisation, one.parent, one.segment) for one in state.organisations.values()],
        projects=[(one.project, one.organisation, one.budget, one.period) for one in state.projects.values()],
        tokens=list(state.tokens.values()),
        sites=list(state.sites.values()),
        prices=[_tariff_record(one) for one in state.prices.versions],
        totals=state.totals,
        gpu_milli_ms=state.gpu_milli_ms,
        archives={project: sorted(archives) for project, archives in state.archives.items()},
        policy=state.policy,
        data=state.data,
        energy=state.energy,
        billing=state.billing,
        promises=state.promises,
        exit=state.exit,
        planning=saved_planning(state),
        health=state.health,
        booking=state.booking,
        shares=state.shares,
        usage=state.scheduler.fair_share.saved(),
        typical=state.scheduler.typical.saved(),
        holding=list(scheduler.holding),
    )
    return _encoder.encode(saved)


def decode_state(data: bytes) -> FactoryState:
    """Return the state of a snapshot, with every index rebuilt; raise UnreadableSnapshot."""
    try:
        saved = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise UnreadableSnapshot(str(error)) from error
    if saved.format != FORMAT:
        raise UnreadableSnapshot(f"the snapshot has format {saved.format}, this program reads {FORMAT}")
    state = FactoryState(
        ledger=Ledger(saved.balances),
        accounts=saved.accounts,
        organisations={name: Organisation(name, parent, "", segment) for name, parent, segment in saved.organisations},
        projects={name: Project(name, owner, "", budget, period) for name, owner, budget, period in saved.projects},
        tokens={token.token: token for token in saved.tokens},
        token_of_digest={token.digest: token.token for token in saved.tokens},
        sites={site.site: site for site in saved.sites},
        prices=PriceBook([_tariff(one) for one in saved.prices]),
        origin=saved.origin,
        next_seq=saved.next_seq,
        last_ms=saved.last_ms,
        totals=saved.totals,
        gpu_milli_ms=saved.gpu_milli_ms,
        archives={project: set(archives) for project, archives in saved.archives.items()},
        policy=saved.policy,
        data=saved.data,
        energy=saved.energy,
        billing=saved.billing,
        promises=saved.promises,
        exit=saved.exit,
        health=saved.health,
        booking=saved.booking,
        shares=saved.shares,
    )
    for record in saved.nodes:
        state.scheduler.fleet.add(Node(**{name: getattr(record, name) for name in record.__struct_fields__}))
    grow_tree(state)
    state.scheduler.fair_share.set_half_life(saved.planning.policy.half_life_hours)
    state.scheduler.fair_share.restore(saved.usage)
    state.scheduler.typical = Typical.restored(saved.typical)
    state.scheduler.fleet.ranking.learn(state.scheduler.typical.learnt)
    for record in saved.nodes:
        renew_available(state, record.node)
    restore_agenda(state)
    restore_planning(state, saved.planning)
    for job in saved.jobs:
        state.scheduler.add(job)
    state.scheduler.hold_in_order(saved.holding)
    enter_all(state)
    state.scheduler.power_caps = state.energy.lowest_caps()
    return state


def fingerprint(state: FactoryState) -> str:
    """Return the SHA-256 of the encoded state in hex: what a rebuilt state is compared by."""
    return sha256(encode_state(state)).hexdigest()


def _node_record(node: Node) -> NodeRecord:
    return NodeRecord(**{name: getattr(node, name) for name in NodeRecord.__struct_fields__})


def _tariff_record(tariff: Tariff) -> TariffRecord:
    fields = {name: getattr(tariff, name) for name in TariffRecord.__struct_fields__}
    return TariffRecord(**{**fields, "gpu_hour": dict(sorted(tariff.gpu_hour.items()))})  # an event tells them in this order


def _tariff(record: TariffRecord) -> Tariff:
    return Tariff(**{name: getattr(record, name) for name in record.__struct_fields__})
