"""The part of the factory's state that follows from events about placement rules."""

from dataclasses import dataclass, field

from eisbach.core.jobs.placement import LimitTuple


@dataclass(slots=True)
class OwnedRule:
    """The rule of an organisation or a project, and the position of the event that set it."""

    scope: str
    limits: tuple[LimitTuple, ...]
    position: int


@dataclass(slots=True)
class OpenViolation:
    """Something that is where rules forbid it, since the event at this position."""

    violation: str
    what: str
    subject: str
    job: str
    site: str
    position: int


@dataclass(slots=True)
class PolicyState:
    """What decisions about placement rules read. Saved in snapshots as it stands: plain values, no indexes.

    `version` is the position of the last event that changed a rule or the facts of a site.
    """

    version: int = -1
    rules: dict[str, OwnedRule] = field(default_factory=dict)
    """id of an organisation or a project -> its rule"""
    facts: dict[str, int] = field(default_factory=dict)
    """site -> position of the event that says its facts"""
    violations: dict[str, OpenViolation] = field(default_factory=dict)
    """`what subject site` -> the violation that is open"""
    targets: dict[str, int] = field(default_factory=dict)
    """`use site` -> position of the last time that a backup or the log was written there"""
