"""The part of the factory's state that follows from events about invoices and who they go to."""

from dataclasses import dataclass


@dataclass(slots=True)
class BillingState:
    """What decisions about invoices and who they go to read. Saved in snapshots as it stands: plain values, no indexes."""
