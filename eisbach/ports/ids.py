"""What the application needs from chance: ids and salts."""

from typing import Protocol


class Ids(Protocol):
    """A source of ids, salts and secrets."""

    def new(self, prefix: str, at_ms: int) -> str:
        """Return a new id `<prefix>_<26 characters>` that sorts by time and is never returned twice."""

    def salt(self) -> bytes:
        """Return 16 unpredictable bytes."""

    def secret(self) -> str:
        """Return a new secret of 256 bits, as text."""
