"""Schemas of energy, for requests and for the OpenAPI document. Amounts are millijoule (`_mj`), milliwatt (`_mw`), milligrams (`_mg`)."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from eisbach.api.schemas import Asked, Told

Hours = Annotated[int, Query(ge=1, le=744, description="How many hours back.")]


class NewCap(Asked):
    kw: int | float | None = Field(description="What the whole site may draw from the grid; null lifts the cap.")
    until_ms: int = Field(default=0, ge=0, le=10**14, description="Unix milliseconds; 0: until it is lifted.")


class Cap(Told):
    site: str
    racks_mw: int | None = Field(description="What that leaves to the racks, in milliwatt.")
    until_at: str | None


class Energy(Told):
    own_mj: int = Field(description="What the work drew above the rest of its nodes, in millijoule.")
    idle_mj: int = Field(description="Its share of what its nodes draw at rest.")
    overhead_mj: int = Field(description="Its share of losses and cooling.")
    total_mj: int
    total_kwh: str
    carbon_location_mg: int | None = Field(description="CO2 equivalent by the mix of the grid; null: nobody said it.")
    carbon_market_mg: int | None = Field(description="CO2 equivalent by certificates of origin and the residual mix.")
    label: str = Field(description="measured, modelled or simulated: what the least certain part is.")


class JobEnergy(Energy):
    job: str
    is_complete: bool = Field(description="Whether the meters were read since the job ended.")
    intervals: list[dict[str, Any]]


class ProjectEnergy(Energy):
    project: str
    period: str
    law: str
    jobs: list[dict[str, Any]]
    sites: list[dict[str, Any]] = Field(description="For each site whether jobs, idle and overhead are its meter.")


class SiteEnergy(Told):
    site: str
    label: str
    meter: str = Field(description="What is measured, and why what is not.")
    now: dict[str, Any]
    pue: str | None
    wue_l_per_kwh: str | None
    erf: str | None
    ref: str | None
    formulas: dict[str, str]
    check: dict[str, Any]
    hours: list[dict[str, Any]]
    outlook: dict[str, Any] = Field(description="The hours to come, with racks that draw as much as now: modelled, or simulated.")
