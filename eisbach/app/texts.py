"""Salted commitments: how the log refers to a tenant's text that may be erased."""

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from eisbach.app.commands import Context
from eisbach.ports.ids import Ids
from eisbach.ports.store import Text

T = TypeVar("T")


def commit_to(ids: Ids, text_id: str, content: str) -> tuple[str, Text]:
    """Return the commitment (SHA-256 of salt and content, in hex) that stands in the log, and the text to store."""
    salt, kept = ids.salt(), content.encode()
    return _commitment(salt, kept), Text(text_id, salt, kept)


def commit_where_kept(context: Context, owner: str, what: str, write: Callable[[T], str], of: T) -> tuple[str, tuple[Text, ...]]:
    """Return what `commit_to` does for the text `owner/what` that `write` gives of something; nothing is written where no log and
    no text is kept."""
    keeps = context.keeps
    if not (keeps.root or keeps.texts):
        return "", ()
    salt, content = context.ids.salt(), write(of).encode()
    return _commitment(salt, content), (Text(f"{owner}/{what}", salt, content),) if keeps.texts else ()


def _commitment(salt: bytes, content: bytes) -> str:
    return sha256(salt + content).hexdigest()
