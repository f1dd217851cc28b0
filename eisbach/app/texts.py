"""Salted commitments: how the log refers to a tenant's text that may be erased."""

from collections.abc import Callable
from hashlib import sha256

from eisbach.app.commands import Context
from eisbach.ports.ids import Ids
from eisbach.ports.store import Text


def commit_to(ids: Ids, text_id: str, content: str) -> tuple[str, Text]:
    """Return the commitment (SHA-256 of salt and content, in hex) that stands in the log, and the text to store."""
    text = Text(text_id, ids.salt(), content.encode())
    return sha256(text.salt + text.content).hexdigest(), text


def commit_where_kept(context: Context, text_id: str, write: Callable[[], str]) -> tuple[str, tuple[Text, ...]]:
    """Return what `commit_to` does for the text that `write` gives; nothing is written where no log and no text is kept."""
    if not (context.keeps.leaves or context.keeps.texts):
        return "", ()
    commitment, text = commit_to(context.ids, text_id, write())
    return commitment, (text,) if context.keeps.texts else ()
