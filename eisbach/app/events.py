"""Every kind of event: the bodies that stand in the log, and those of its areas (`events_AREA.py`) joined to them.

A body holds ids, amounts and commitments, never a tenant's text or personal data. Text stands in the table `texts`
and may be erased; the body holds its salted commitment. `transfers` are ledger transfers
`[debit account, credit account, micro-euro, kind]`, posted by the event that carries them.
"""

from eisbach.app import (
    events_billing,
    events_booking,
    events_data,
    events_energy,
    events_exit,
    events_health,
    events_planning,
    events_policy,
    events_promises,
    events_shares,
    events_usage,
)
from eisbach.app.event_body import Body as Body
from eisbach.app.event_body import TransferTuple as TransferTuple
from eisbach.app.events_exit import RecordImported as RecordImported
from eisbach.core.jobs.placement import LimitTuple

ShapeTuple = tuple[int, int, int, str | None]
"""cpu_milli, memory_mib, gpus, flavour"""
TaskTuple = tuple[int, str, int, int, tuple[int, ...]]
"""rank, node id, cpu_milli, memory_mib, GPU indices"""
PartTuple = tuple[int, str]
"""thousandths of each GPU, MIG profile"""


class FactoryOpened(Body, frozen=True):
    origin: str
    software: str
    follows_head: str = ""


class ServerStarted(Body, frozen=True):
    epoch: int
    software: str
    isolation: str = ""


class ClockJumped(Body, frozen=True):
    expected_ms: int
    seen_ms: int


class SiteDeclared(Body, frozen=True):
    site: str
    country: str
    operator: str
    operator_country: str
    simulated: bool = False
    parent_country: str = ""
    metered: bool = True
    """whether its energy is accounted for"""


class SiteChanged(Body, frozen=True):
    site: str
    country: str
    operator: str
    operator_country: str
    simulated: bool = False
    parent_country: str = ""
    metered: bool = True
    """whether its energy is accounted for"""


class NodeDeclared(Body, frozen=True):
    node: str
    pool: str
    site: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    hall: str = ""
    row: str = ""
    rack: str = ""
    nvlink: str = ""
    from_ms: int = 0


class NodeChanged(Body, frozen=True):
    """An idle node offers something else, or stands elsewhere, from now on; one that a person drained stays `drained`.

    Older logs name no `site` here: a node stayed where it was declared.
    """

    node: str
    pool: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    drained: bool = False
    site: str = ""
    hall: str = ""
    row: str = ""
    rack: str = ""
    nvlink: str = ""
    from_ms: int = 0


class NodeDrained(Body, frozen=True):
    """A node takes nothing new (`drained`), or takes work again; with `keeps_work` what runs there may stay.

    `mark` is the id of its entry in the node's history, `note` the commitment to what a person wrote there.
    """

    node: str
    drained: bool
    by: str
    removed: bool = False
    keeps_work: bool = False
    mark: str = ""
    note: str = ""


class TariffPublished(Body, frozen=True):
    version: str
    label: str
    valid_from_ms: int
    core_hour: int
    memory_gib_hour: int
    gpu_hour: dict[str, int]
    spot_permille: int = 1000
    valid_until_ms: int | None = None
    booking_rules: dict[str, int] = {}
    """rules of bookings that are not the program's defaults"""


class TariffWithdrawn(Body, frozen=True):
    """A version that has not begun is taken back; whoever submitted a job was never priced by it."""

    version: str


class OrganisationCreated(Body, frozen=True):
    organisation: str
    parent: str | None
    name: str
    segment: str
    by: str


class ProjectCreated(Body, frozen=True):
    project: str
    organisation: str
    name: str
    budget: int
    by: str


class BudgetSet(Body, frozen=True):
    project: str
    budget: int
    by: str
    transfers: tuple[TransferTuple, ...] = ()


class PeriodOpened(Body, frozen=True):
    project: str
    period: str
    transfers: tuple[TransferTuple, ...] = ()


class TokenIssued(Body, frozen=True):
    token: str
    role: str
    organisation: str | None
    project: str | None
    digest: str
    expires_ms: int
    label: str
    by: str


class TokenRevoked(Body, frozen=True):
    token: str
    by: str


class SecretSet(Body, frozen=True):
    project: str
    name: str
    by: str
    removed: bool = False


class ArchiveReceived(Body, frozen=True):
    project: str
    archive: str
    size: int
    by: str


class JobSubmitted(Body, frozen=True):
    job: str
    project: str
    spec: str
    capacity_class: str
    nodes: int
    shapes: tuple[ShapeTuple, ...]
    prices: tuple[int, ...]
    tariff: str
    limit_ms: int
    grace_ms: int
    attempts_max: int
    cap: int
    funded: bool
    period: str
    by: str
    data: tuple[str, ...] = ()
    """ids of the data sets that the task reads"""
    placement: tuple[LimitTuple, ...] = ()
    """the job's own rule"""
    parts: tuple[PartTuple, ...] = ()
    """what each shape takes of its GPUs; none where all take whole ones"""
    within: str = ""
    within_required: bool = False
    booking: str = ""
    """the one that it runs inside, at no price of its own"""
    transfers: tuple[TransferTuple, ...] = ()


class JobFunded(Body, frozen=True):
    job: str
    period: str
    transfers: tuple[TransferTuple, ...] = ()


class ReservationMoved(Body, frozen=True):
    """A waiting job's cap is reserved in a new month (`funded`), or no longer reserved."""

    job: str
    period: str
    funded: bool
    transfers: tuple[TransferTuple, ...] = ()


class JobStopping(Body, frozen=True):
    job: str
    attempt: str
    cause: str
    grace_ms: int
    by: str
    notice_ms: int = 0
    """how long after this event it is asked to stop"""


class JobEnded(Body, frozen=True):
    job: str
    outcome: str
    reason: str
    by: str
    transfers: tuple[TransferTuple, ...] = ()


class AttemptPlanned(Body, frozen=True):
    attempt: str
    job: str
    number: int
    shape: int
    tasks: tuple[TaskTuple, ...]
    limit_ms: int
    epoch: int
    site: str = ""
    simulated: bool = False
    """nothing is executed at that site"""
    policy_version: int = -1
    """position of the last change of a rule or of a site's facts when this was planned (-1: older logs, none yet)"""
    rules: tuple[int, ...] = ()
    """positions of the events that set the rules which held for it, its job's own among them"""
    slots: tuple[int, ...] = ()
    """the first memory slice of each task's MIG instance; none where no task has one"""
    free_ms: int = 0
    """how long it runs uncharged: what is left of the time by which a cap on power broke the promise of its start"""


class AttemptRunning(Body, frozen=True):
    attempt: str
    job: str
    since_ms: int
    job_since_ms: int
    """when the job's first attempt ran"""
    is_stopping: bool = False
    """it was asked to stop before it ran, and goes on stopping"""


class UsageSettled(Body, frozen=True):
    attempt: str
    job: str
    held_ms: int
    charged_ms: int
    charged: int
    job_charged: int
    job_charged_ms: int
    period: str
    next_period: str
    transfers: tuple[TransferTuple, ...] = ()


class AttemptEnded(Body, frozen=True):
    """An attempt is over.

    `next` is the job's state after it: `waiting` (retried) or `ended`; `job_outcome` is empty while it waits.
    `detail` commits to the engine's sentence about it (text `<attempt>/detail`), empty where it said nothing.
    `charged` and `charged_ms` are the attempt's own totals, `job_charged` and `job_charged_ms` the job's over all.
    """

    attempt: str
    job: str
    ending: str
    outcome: str
    fault: str
    reason: str
    held_ms: int
    charged_ms: int
    charged: int
    job_charged: int
    job_charged_ms: int
    exit_code: int | None
    rank: int | None
    running_since_ms: int | None
    ended_ms: int
    cpu_ms: int
    memory_peak_mib: int
    memory_is_polled: bool
    log_bytes: int
    detail: str
    next: str
    job_outcome: str
    not_before_ms: int = 0
    transfers: tuple[TransferTuple, ...] = ()


KINDS: dict[str, type[Body]] = {
    "factory.opened": FactoryOpened,
    "server.started": ServerStarted,
    "clock.jumped": ClockJumped,
    "site.declared": SiteDeclared,
    "site.changed": SiteChanged,
    "node.declared": NodeDeclared,
    "node.changed": NodeChanged,
    "node.drained": NodeDrained,
    "tariff.published": TariffPublished,
    "tariff.withdrawn": TariffWithdrawn,
    "organisation.created": OrganisationCreated,
    "project.created": ProjectCreated,
    "budget.set": BudgetSet,
    "period.opened": PeriodOpened,
    "token.issued": TokenIssued,
    "token.revoked": TokenRevoked,
    "secret.set": SecretSet,
    "archive.received": ArchiveReceived,
    "job.submitted": JobSubmitted,
    "job.funded": JobFunded,
    "job.reservation_moved": ReservationMoved,
    "job.stopping": JobStopping,
    "job.ended": JobEnded,
    "attempt.planned": AttemptPlanned,
    "attempt.running": AttemptRunning,
    "usage.settled": UsageSettled,
    "attempt.ended": AttemptEnded,
    **events_policy.KINDS,
    **events_data.KINDS,
    **events_energy.KINDS,
    **events_billing.KINDS,
    **events_promises.KINDS,
    **events_exit.KINDS,
    **events_planning.KINDS,
    **events_health.KINDS,
    **events_booking.KINDS,
    **events_shares.KINDS,
    **events_usage.KINDS,
}
KIND_OF: dict[type[Body], str] = {body: kind for kind, body in KINDS.items()}
SCHEMA_VERSION = 1
