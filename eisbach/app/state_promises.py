"""The part of the factory's state that follows from events about public promises."""

from dataclasses import dataclass


@dataclass(slots=True)
class PromiseState:
    """What decisions about public promises read. Saved in snapshots as it stands: plain values, no indexes."""
