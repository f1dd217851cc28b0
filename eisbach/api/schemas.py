"""Schemas of `/v1` for requests and for the OpenAPI document: the only place that knows pydantic."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

BUDGET_MAX_MICRO_EUR = 10**18
LIFETIME_MS_MIN = 60_000
LIFETIME_MS_MAX = 366 * 86_400_000
PAGE_MAX = 1000

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Label = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
MicroEuro = Annotated[int, Field(description="Millionths of a euro, net of VAT.")]
Euro = Annotated[str, Field(description="The same amount as exact decimal text.", examples=["12.34"])]
At = Annotated[str, Field(description="RFC 3339 in UTC.", examples=["2026-11-22T03:55:42.000Z"])]

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="The most items a page holds.")]
Cursor = Annotated[
    str | None,
    Query(max_length=128, pattern=r"^[\x21-\x7e]+$", description="`next_cursor` of the page before."),
]
Period = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month such as 2026-11.")]

ProjectPath = Annotated[str, Path(description="The project's id.")]
PromisePath = Annotated[str, Path(description="The promise's id, as the register names it.")]
OrganisationPath = Annotated[str, Path(description="The organisation's id.")]
TokenPath = Annotated[str, Path(description="The token's id.")]
JobPath = Annotated[str, Path(description="The job's id.")]
AttemptPath = Annotated[str, Path(description="The attempt's id.")]
NodePath = Annotated[str, Path(description="The node's id.")]
ClosurePath = Annotated[str, Path(description="The closure's id.")]
SitePath = Annotated[str, Path(description="The site's name.")]
SecretNamePath = Annotated[str, Path(description="The environment variable's name.")]


class Asked(BaseModel):
    """What a client sends: nothing but the known fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewOrganisation(Asked):
    name: Name
    parent: Id | None = None
    segment: Literal["enterprise", "mittelstand", "start-up", "research", "public"] = "enterprise"


class NewProject(Asked):
    name: Name
    organisation: Id
    budget_micro_eur: int = Field(ge=0, le=BUDGET_MAX_MICRO_EUR, description="What may be spent in a month.")


class NewBudget(Asked):
    budget_micro_eur: int = Field(ge=0, le=BUDGET_MAX_MICRO_EUR, description="What may be spent in a month.")


class NewToken(Asked):
    role: Literal["operator", "auditor", "admin", "member", "viewer"]
    organisation: Id | None = Field(default=None, description="For the role admin.")
    project: Id | None = Field(default=None, description="For the roles member and viewer.")
    label: Label = ""
    lifetime_ms: int = Field(default=90 * 86_400_000, ge=LIFETIME_MS_MIN, le=LIFETIME_MS_MAX)


class NewSecret(Asked):
    value: str = Field(min_length=1, max_length=65_536)


class NewJob(Asked):
    task: dict[str, Any] = Field(
        description="The task file's keys; `workdir` is the id of an uploaded archive.",
        examples=[{"name": "hello", "run": "echo hello", "resources": {"cpus": 1}}],
    )


class Told(BaseModel):
    """What the server answers. Clients ignore fields they do not know: `/v1` only grows."""

    model_config = ConfigDict(extra="allow")


class ProblemError(Told):
    reason: str
    field: str
    detail: str
    source: str | None = Field(default=None, description="The English detail, where another language was asked for.")


class ProblemDetails(Told):
    type: str = Field(examples=["urn:eisbach:reason:NOT_FOUND"])
    title: str
    status: int
    detail: str
    instance: str
    reason: str
    retryable: bool
    errors: list[ProblemError]
    source: str | None = Field(default=None, description="The English detail, where another language was asked for.")


class Health(Told):
    status: Literal["ok", "unavailable"]


class Version(Told):
    software: str
    api: str


class Me(Told):
    token: str
    role: str
    organisation: str | None
    project: str | None


class Organisation(Told):
    organisation: str
    parent: str | None
    name: str
    segment: str
    created_at: At


class Project(Told):
    project: str
    organisation: str
    name: str
    budget_micro_eur: MicroEuro
    budget_eur: Euro
    created_at: At


class Account(Told):
    period: str
    budget_micro_eur: MicroEuro
    budget_eur: Euro
    reserved_micro_eur: MicroEuro
    reserved_eur: Euro
    charged_micro_eur: MicroEuro
    charged_eur: Euro
    available_micro_eur: MicroEuro
    available_eur: Euro


class ProjectWithAccount(Project, Account):
    pass


class ProjectCost(Account):
    project: str
    jobs: list[dict[str, Any]]
    bookings: list[dict[str, Any]]


class Token(Told):
    token: str
    role: str
    organisation: str | None
    project: str | None
    label: str
    created_at: At
    expires_at: At
    revoked_at: At | None


class IssuedToken(Token):
    secret: str | None = Field(default=None, description="Only in the first answer; nobody can read it again.")


class Archive(Told):
    archive: str
    size: int


class Job(Told):
    job: str
    project: str
    name: str
    state: Literal["waiting", "starting", "running", "stopping", "ended"]
    outcome: str
    reason: str
    capacity_class: str
    nodes: int
    attempts: int
    last_attempt: str | None
    exit_code: int | None
    site: str = Field(description="Where its last attempt is or was; empty before the first.")
    simulated: bool = Field(description="Nothing is executed at that site.")
    tariff: str
    limit_ms: int
    ceiling_micro_eur: MicroEuro
    ceiling_eur: Euro
    charged_micro_eur: MicroEuro
    charged_eur: Euro
    charged_ms: int
    submitted_by: str
    submitted_at: At
    started_at: At | None
    running_at: At | None
    ended_at: At | None
    signal_at: At | None = Field(description="When it is asked to stop; null where it is not stopping.")


class AcceptedJob(Told):
    job: str
    state: str
    reason: str
    ceiling_micro_eur: MicroEuro
    ceiling_eur: Euro


class JobWithTask(Job):
    task: dict[str, Any] | None


class CancelledJob(Told):
    job: str
    state: str
    outcome: str


class Plan(Told):
    name: str
    project: str
    nodes: int
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    site: str
    country: str
    limit_ms: int
    price_per_hour_micro_eur: MicroEuro
    price_per_hour_eur: Euro
    ceiling_micro_eur: MicroEuro
    ceiling_eur: Euro
    starts_at_once: bool
    predicted_ms: int = Field(description="How long it will run, guessed from your last two jobs of about this size; its limit where less are known.")
    start_estimated_at: At | None = Field(description="A guess: when it would start if what runs ends as predicted and nobody else waited.")
    start_promised_at: At | None = Field(description="The start that it would be promised if it were submitted now.")
    reason: str
    detail: str


class Why(Told):
    job: str
    state: str
    reason: str
    detail: str
    share: str = Field(default="", description="What fair shares have to do with it, where the policy asks them.")
    late: str = Field(default="", description="What it is credited where a cap on power broke the promise of its start.")
    start_estimated_at: At | None
    start_promised_at: At | None


class Attempt(Told):
    attempt: str
    job: str
    number: int
    state: str
    outcome: str
    reason: str
    exit_code: int | None
    site: str
    simulated: bool
    detail: str
    held_ms: int
    saved_ms: int = Field(description="How much of `held_ms` the last checkpoint holds that is known of.")
    charged_ms: int
    charged_micro_eur: MicroEuro
    charged_eur: Euro
    running_at: At | None
    ended_at: At | None


class JobCost(Told):
    job: str
    name: str
    project: str
    tariff: str
    ceiling_micro_eur: MicroEuro
    ceiling_eur: Euro
    charged_micro_eur: MicroEuro
    charged_eur: Euro
    charged_ms: int
    credited_micro_eur: MicroEuro = Field(description="For a start that came later than promised, as power was capped: charged and taken back.")
    credited_eur: Euro
    attempts: list[dict[str, Any]]
    transfers: list[dict[str, Any]]


class LogLine(Told):
    attempt: str
    number: int
    at: At
    rank: int
    stream: str
    text: str
    is_part: bool


class Artifact(Told):
    attempt: str
    path: str
    size: int
    sha256: str


class DrainedNode(Told):
    node: str
    drained: bool
    attempts_on_it: int


class SecretName(Told):
    name: str


class StoredSecret(Told):
    project: str
    name: str


class Head(Told):
    size: int
    head: str


class Bundle(Told):
    format: str
    head: str


class Factory(Told):
    pass


class Paged(Told):
    next_cursor: str | None


class Organisations(Paged):
    items: list[Organisation]


class Projects(Paged):
    items: list[Project]


class Tokens(Paged):
    items: list[Token]


class Jobs(Paged):
    items: list[Job]


class Attempts(Paged):
    items: list[Attempt]


class LogLines(Paged):
    items: list[LogLine]
    place: str


class Artifacts(Paged):
    items: list[Artifact]


class SecretNames(Paged):
    items: list[SecretName]


class Offers(Paged):
    items: list[dict[str, Any]]


class Promises(Paged):
    items: list[dict[str, Any]]


class Promise(BaseModel):
    promise: str
    verdict: str
    promised: dict[str, Any]
    now: dict[str, Any]
    history: list[dict[str, Any]]
