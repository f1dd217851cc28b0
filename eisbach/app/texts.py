"""Salted commitments: how the log refers to a tenant's text that may be erased."""

from hashlib import sha256

from eisbach.ports.ids import Ids
from eisbach.ports.store import Text


def commit_to(ids: Ids, text_id: str, content: str) -> tuple[str, Text]:
    """Return the commitment (SHA-256 of salt and content, in hex) that stands in the log, and the text to store."""
    text = Text(text_id, ids.salt(), content.encode())
    return sha256(text.salt + text.content).hexdigest(), text
