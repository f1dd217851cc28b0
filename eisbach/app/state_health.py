"""The part of the factory's state that follows from events about the health of nodes, maintenance and drains."""

from dataclasses import dataclass, field

from eisbach.core.capacity.health import HealthMark


@dataclass(slots=True)
class HealthState:
    """What decisions about the health of nodes, maintenance and drains read. Saved in snapshots as it stands: plain values, no indexes."""

    marks: dict[str, HealthMark] = field(default_factory=dict)
    """node -> what is known of it, for those that are not healthy"""
    failures: dict[str, int] = field(default_factory=dict)
    """node -> attempts in a row that it failed through no fault of theirs"""
    cordoned: set[str] = field(default_factory=set)
    """drained nodes whose work may stay as long as it likes"""
    stranded: dict[str, str] = field(default_factory=dict)
    """attempt -> the lost node of which it holds a share: whatever is decided next ends it"""
