"""The part of the factory's state that follows from events about the health of nodes, maintenance and drains."""


import msgspec

from eisbach.core.capacity.health import Closure, HealthMark


class HealthState(msgspec.Struct):
    """What decisions about the health of nodes, maintenance and drains read. Saved in snapshots as it stands: plain values, no indexes."""

    marks: dict[str, HealthMark] = msgspec.field(default_factory=dict)
    """node -> what is known of it, for those that are not healthy"""
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    """node -> attempts in a row that it failed through no fault of theirs"""
    cordoned: dict[str, None] = msgspec.field(default_factory=dict)
    """drained nodes whose work may stay as long as it likes"""
    closures: dict[str, Closure] = msgspec.field(default_factory=dict)
    """maintenance windows and drains with a deadline, announced or going on, by id"""
    closed: dict[str, str] = msgspec.field(default_factory=dict)
    """node -> the closure that has begun there"""
    coming: dict[str, int] = msgspec.field(default_factory=dict)
    """node -> the instant from which it is there, for those that are not yet"""
