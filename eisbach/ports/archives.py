"""What the application needs from the place where uploaded working directories are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from eisbach.core.vocabulary.reasons import Refusal


class Upload(Protocol):
    """One archive on its way in."""

    size: int

    @property
    def path(self) -> Path:
        """Return where the bytes lie so far."""

    def write(self, data: bytes) -> Refusal | None:
        """Take the next bytes; return why no more are taken."""

    def keep(self, expected: str | None = None) -> str | Refusal:
        """Store the bytes durably and return their id (`sha256:<hex>`), or why not."""


class Archives(Protocol):
    """Uploaded archives by their content."""

    def receive(self) -> AbstractContextManager[Upload]:
        """Return an upload; whatever is not kept leaves nothing behind."""

    def check(self, path: Path) -> Refusal | None:
        """Return why a file is no archive that may be unpacked, or None."""

    def path_of(self, archive_id: str) -> Path | None:
        """Return the file of an archive, or None where there is none."""

    def renew(self, archive_id: str) -> bool:
        """Note that an archive is used now; return whether it is there."""

    def unused_since(self, before_ms: int) -> Sequence[str]:
        """Return the archives last uploaded or renewed before an instant (UTC milliseconds)."""

    def delete_unused(self, archive_id: str, before_ms: int) -> bool:
        """Delete an archive unless it was uploaded or renewed since `before_ms`; return whether it was deleted."""
