"""Events on their way into the log's tree where only its root is ever asked for: sealed later, many at a time.

Sealing one after the other costs half of what it does between two steps of a scheduler, each of which needs the processor's
caches for itself.
"""

from typing import Final

from eisbach.app.event_codec import canonical
from eisbach.app.events import Body
from eisbach.core.log.leaf import leaf_hash
from eisbach.core.log.tree import Frontier

AT_ONCE: Final = 500


class LateLeaves:
    """Holds back up to AT_ONCE events; the tree grows by them in their order."""

    __slots__ = ("_frontier", "_waiting")

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._waiting: list[tuple[int, int, Body, bytes]] = []

    def add(self, seq: int, at_ms: int, body: Body, salt: bytes) -> None:
        """Add an event that is decided for good: in a world that keeps only the root nothing is taken back."""
        self._waiting.append((seq, at_ms, body, salt))
        if len(self._waiting) >= AT_ONCE:
            self.seal()

    def seal(self) -> Frontier:
        """Return where the tree stands with all that was added."""
        self._frontier.extend([leaf_hash(canonical(*event)) for event in self._waiting])
        self._waiting.clear()
        return self._frontier
