"""The part of the factory's state that follows from events about the health of nodes, maintenance and drains."""

from dataclasses import dataclass


@dataclass(slots=True)
class HealthState:
    """What decisions about the health of nodes, maintenance and drains read. Saved in snapshots as it stands: plain values, no indexes."""
