"""A store that keeps nothing: what a run comes to is counted as it goes. For worlds in which a year passes in minutes."""

from collections.abc import Mapping, Sequence
from typing import Final

from eisbach.core.log.event import SealedEvent
from eisbach.ports.store import Batch, Keeps, Page, Reply, Row, StoreDamaged, Text

_NO_PAGE: Final = Page((), None)


class TotalsStore:
    """Takes every commit and keeps nothing of it. With `has_log` events are hashed, so that the log has a root.

    Nothing can be read from it again: whoever works on it cannot start over after a broken invariant, and does not try.
    """

    def __init__(self, *, has_log: bool = False) -> None:
        self.keeps = Keeps(rows=False, texts=False, leaves=False, root=has_log, snapshots=False)
        self._epoch = 0

    def take_leadership(self) -> int:
        """Raise the epoch by one and return it."""
        self._epoch += 1
        return self._epoch

    def commit(self, batch: Batch, epoch: int) -> None:
        """Do nothing."""

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """Return nothing."""
        return None

    def erase_text(self, text_id: str) -> bool:
        """Return that there was none."""
        return False

    def close(self) -> None:
        """Do nothing."""

    def row(self, table: str, key: str) -> Row | None:
        """Return nothing."""
        return None

    def rows(self, table: str, where: Mapping[str, object], *, cursor: str | None = None, limit: int = 100) -> Page:
        """Return an empty page."""
        return _NO_PAGE

    def text(self, text_id: str) -> Text | None:
        """Return nothing."""
        return None

    def events_of(self, subject: str, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return nothing."""
        return ()

    def events(self, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return nothing."""
        return ()

    def tree_node(self, level: int, index: int) -> bytes:
        """Raise StoreDamaged: no node is kept."""
        raise StoreDamaged("a store of totals keeps no nodes of the log's tree")

    def tree_nodes(self, level: int, *, first: int = 0, limit: int = 1000) -> Sequence[tuple[int, bytes]]:
        """Return nothing."""
        return ()

    def reply(self, scope: str, key: str) -> Reply | None:
        """Return nothing."""
        return None

    def head(self, size: int | None = None) -> tuple[int, str] | None:
        """Return nothing."""
        return None

    def heads(self, *, limit: int = 1000) -> Sequence[tuple[int, str]]:
        """Return nothing."""
        return ()

    def log_size(self) -> int:
        """Return 0: no event can be read from it."""
        return 0

    def totals(
        self, table: str, group_by: Sequence[str], sum_of: Sequence[str], where: Mapping[str, object]
    ) -> Sequence[Row]:
        """Return nothing."""
        return ()
