"""Schemas of `/v1` about placement rules, violations and the places of logs and backups."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eisbach.api.schemas import Asked, At, Bundle, Name, Told

Codes = Annotated[list[str], Field(max_length=300)]


class NewRule(Asked):
    """A rule; a key that is absent sets no limit, an empty rule removes the one there is."""

    countries: Codes | None = Field(default=None, description="Codes of ISO 3166-1, or EU, EEA.", examples=[["DE", "AT"]])
    operator_countries: Codes | None = Field(default=None, description="Where the operator has its seat.")
    parent_countries: Codes | None = Field(default=None, description="Where the operator's ultimate parent has its seat.")
    sites: Codes | None = Field(default=None, description="Names of sites.")
    dedicated: Literal["project", "organisation"] | None = Field(
        default=None, description="Nodes are never shared with another project, or another organisation."
    )


class SetRule(Told):
    owner: str
    scope: str
    limits: dict[str, list[str]]
    position: int | None
    changed: bool


class Rules(Told):
    owner: str
    scope: str
    own: dict[str, list[str]]
    rules: list[dict[str, Any]]
    dedicated: str
    policy_version: int
    sites: list[dict[str, Any]]


class Violation(Told):
    violation: str
    what: str
    subject: str
    job: str
    project: str
    site: str
    reasons: list[str]
    found_at: At
    ended_at: At | None
    ended_how: str


class Violations(Told):
    items: list[Violation]
    next_cursor: str | None


class NewTarget(Asked):
    use: Literal["log", "backup"] = Field(description="What is written there.")
    site: Name | None = Field(default=None, description="Where it will be kept; without it at the factory's own site.")


class Target(Told):
    use: str
    site: str
    position: int


class Targets(Told):
    items: list[dict[str, Any]]
    next_cursor: str | None


class OldTarget(Asked):
    use: Literal["log", "backup"]
    site: Name


class Residency(Told):
    job: str
    project: str
    from_position: int
    from_at: At
    until_position: int
    until_at: At
    is_clean: bool
    rules: list[dict[str, Any]]
    stays: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    violations: list[int]
    text: list[str]
    does_not_prove: list[str]


class ResidencyProof(Bundle):
    residency: dict[str, Any]
