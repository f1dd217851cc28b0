"""The part of the factory's state that follows from events about invoices and who they go to."""

import msgspec


class BillingState(msgspec.Struct):
    """What decisions about invoices and who they go to read. Saved in snapshots as it stands: plain values, no indexes."""

    details: dict[str, str] = msgspec.field(default_factory=dict)
    """organisation -> the billing details in force (`bil_...`)"""
    documents: dict[str, int] = msgspec.field(default_factory=dict)
    """year (as text) -> how many invoices and credit notes were numbered in it"""
    billed_to: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """organisation -> month -> the last position of the log whose transfers are on an invoice"""
    credited: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    """invoice -> net and VAT in cents that credit notes have taken back"""

    def billed_until(self, organisation: str, period: str) -> int:
        """Return the last position of the log that an organisation's month is billed to, -1 before its first invoice."""
        return self.billed_to.get(organisation, {}).get(period, -1)

    def documents_of(self, year: int) -> int:
        """Return how many invoices and credit notes were numbered in a year."""
        return self.documents.get(str(year), 0)
