"""What the application needs from a keeper of secrets."""

from collections.abc import Sequence
from typing import Protocol


class Secrets(Protocol):
    """Values by project and name; never in rows, logs or answers."""

    def put(self, project: str, name: str, value: str) -> None:
        """Keep a value durably."""

    def get(self, project: str, name: str) -> str | None:
        """Return a value, or None where there is none of that name."""

    def remove(self, project: str, name: str) -> bool:
        """Remove a value; return whether there was one."""

    def names(self, project: str) -> Sequence[str]:
        """Return the names of a project's secrets, sorted."""
