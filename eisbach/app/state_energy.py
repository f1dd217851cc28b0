"""The part of the factory's state that follows from events about energy, water and heat."""

from dataclasses import dataclass


@dataclass(slots=True)
class EnergyState:
    """What decisions about energy, water and heat read. Saved in snapshots as it stands: plain values, no indexes."""
