"""The part of the factory's state that follows from events about data sets and uploads."""

from dataclasses import dataclass


@dataclass(slots=True)
class DataState:
    """What decisions about data sets and uploads read. Saved in snapshots as it stands: plain values, no indexes."""
