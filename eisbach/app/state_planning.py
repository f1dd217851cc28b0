"""The part of the factory's state that follows from events about promised starts and the scheduler's policy."""

from dataclasses import dataclass


@dataclass(slots=True)
class PlanningState:
    """What decisions about promised starts and the scheduler's policy read. Saved in snapshots as it stands: plain values, no indexes."""
