"""What the application needs from a maker and keeper of invoice documents."""

from typing import Protocol

from eisbach.core.billing.invoice import Document


class Documents(Protocol):
    """Makes an invoice's file and keeps it. The same document gives the same bytes, always: an event holds their digest."""

    format: str
    """What the files are, with the version of how they are written; it stands in the event."""

    def make(self, document: Document) -> bytes:
        """Return the file of a document; raise UnsoundDocument where it would break the format's own rules."""

    def keep(self, number: str, content: bytes) -> None:
        """Keep a file under a document's number; durable when it returns."""

    def kept(self, number: str) -> bytes | None:
        """Return the kept file of a number, or None where there is none."""


class UnsoundDocument(ValueError):
    """A document that the format's own schema refuses; the message says where."""
