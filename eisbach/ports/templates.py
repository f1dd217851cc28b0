"""What the application needs from the library of workload templates."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from eisbach.core.vocabulary.reasons import Refusal


class Templates(Protocol):
    """Templates that come with the program. May be called from any thread."""

    def names(self) -> Sequence[str]:
        """Return their names, sorted."""

    def task(self, name: str) -> Mapping[str, Any] | None:
        """Return the task file of a template as a mapping, or None where there is no such template."""

    def pack(self, name: str) -> bytes | Refusal:
        """Return the working directory of a template as an archive: the same bytes each time."""
