"""Schemas of `/v1` about fair shares, quotas and agreements. Amounts are thousandths of a GPU (`gpu_milli`)."""

from typing import Annotated, Literal

from pydantic import Field

from eisbach.api.schemas import Asked, Told

GpuMilli = Annotated[int, Field(description="Thousandths of a GPU.", examples=[512_000])]


class NewShare(Asked):
    weight: int | None = Field(description="Its weight among its siblings; null gives back the usual 100.", examples=[300])


class SetShare(Told):
    owner: str
    scope: str
    weight: int
    changed: bool


class NewQuota(Asked):
    gpu_milli: GpuMilli | None = Field(description="What may be held at once before it may be reclaimed; null: no quota.")


class SetQuota(Told):
    owner: str
    scope: str
    gpu_milli: int | None
    changed: bool


class NewAgreement(Asked):
    gpu_milli: GpuMilli = Field(description="Committed capacity: up to there its work goes first.")
    price_permille: int = Field(default=1000, description="Thousandths of the list price.", examples=[850])


class SetAgreement(Told):
    organisation: str
    gpu_milli: int
    price_permille: int
    changed: bool


class Branch(Told):
    """What a segment, an organisation or a project is due and had."""

    owner: str
    name: str
    scope: str
    parent: str | None
    weight: int
    due_ppm: int = Field(description="What it is due of the factory while all have work, in millionths.")
    used_ppm: int = Field(description="What it had of the decayed usage, in millionths.")
    usage_gpu_milli_ms: int
    half_life_hours: int
    held_gpu_milli: int
    firm_gpu_milli: int = Field(description="What of that counts against quota and agreement: all but spot.")
    quota_gpu_milli: int | None
    agreed_gpu_milli: int
    price_permille: int | None
    turn: int | None = Field(description="Of a project: its place among all projects; the first one's work comes first.")
    turns: int | None


class Shares(Told):
    items: list[Branch]


class InPieces(Told):
    """GPUs of a flavour at a site that are free on nodes of which others are held."""

    site: str
    simulated: bool
    flavour: str
    nodes: int
    gpus: int
    free_gpus: int
    in_pieces_gpus: int
    in_pieces_hour_micro_eur: int | None = Field(description="What these would cost in an hour by the list.")
    in_pieces_hour_eur: str | None
    together: dict[str, int] = Field(description="Idle nodes in the best domain of each level: the largest gang that starts there.")


class MovedAside(Told):
    """What moving spot aside was reckoned to bring in the last thirty days."""

    times: int
    moves: int
    lost_gpu_milli_ms: int
    gain_gpu_milli_ms: int
    gain_micro_eur: int
    gain_eur: str


class Fragmentation(Told):
    items: list[InPieces]
    moves: MovedAside


class FreeGpus(Told):
    site: str
    simulated: bool
    nodes: int = Field(description="With GPUs, and taking work.")
    gpus: int
    free_gpu_milli: int = Field(description="Thousandths of GPUs that nobody holds.")
    stranded_gpu_milli: int = Field(description="Those of them that the tasks that ask could not have, their mean; so many GPU-hours an hour.")
    lost_hour_micro_eur: int = Field(description="In an hour, at the list price of the stranded GPUs.")
    lost_hour_eur: str


class FreeInPool(FreeGpus):
    pool: str
    flavour: str


class FreeInDomain(FreeGpus):
    domain: str


class StrandedGpus(Told):
    asked: Literal["waiting", "running", "nothing"] = Field(description="Whose tasks count: those that wait for GPUs, or else those that run.")
    tasks: int = Field(description="How many there are.")
    level: Literal["rack", "row", "hall"]
    pools: list[FreeInPool]
    domains: list[FreeInDomain]
