"""The part of the factory's state that follows from events about agreements, quotas and fair shares."""

from dataclasses import dataclass


@dataclass(slots=True)
class SharesState:
    """What decisions about agreements, quotas and fair shares read. Saved in snapshots as it stands: plain values, no indexes."""
