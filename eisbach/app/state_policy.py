"""The part of the factory's state that follows from events about placement rules."""

import msgspec

from eisbach.core.jobs.placement import LimitTuple


class OwnedRule(msgspec.Struct):
    """The rule of an organisation or a project, and the position of the event that set it."""

    scope: str
    limits: tuple[LimitTuple, ...]
    position: int


class OpenViolation(msgspec.Struct):
    """Something that is where rules forbid it, since the event at this position."""

    violation: str
    what: str
    subject: str
    job: str
    site: str
    position: int


class PolicyState(msgspec.Struct):
    """What decisions about placement rules read. Saved in snapshots as it stands: plain values, no indexes.

    `version` is the position of the last event that changed a rule or the facts of a site.
    """

    version: int = -1
    rules: dict[str, OwnedRule] = msgspec.field(default_factory=dict)
    """id of an organisation or a project -> its rule"""
    facts: dict[str, int] = msgspec.field(default_factory=dict)
    """site -> position of the event that says its facts"""
    violations: dict[str, OpenViolation] = msgspec.field(default_factory=dict)
    """`what subject site` -> the violation that is open"""
    targets: dict[str, int] = msgspec.field(default_factory=dict)
    """`use site` -> position of the last time that a backup or the log was written there"""
