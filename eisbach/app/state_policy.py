"""The part of the factory's state that follows from events about placement rules."""

from dataclasses import dataclass


@dataclass(slots=True)
class PolicyState:
    """What decisions about placement rules read. Saved in snapshots as it stands: plain values, no indexes."""
