"""What the application needs from a store: one atomic commit, the log, and the rows that faces read."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from eisbach.core.log.event import SealedEvent

Row = dict[str, Any]


class StoreFull(Exception):
    """The disk under the store is full; nothing of the batch was written; the batch may be repeated."""


class StoreUnavailable(Exception):
    """The store cannot be reached or is locked by somebody else; nothing of the batch was written."""


class StoreDamaged(Exception):
    """The store's content contradicts itself; the message says where."""


class NewerStore(Exception):
    """The store was written by a newer version of the program and is left untouched."""


class LeadershipLost(Exception):
    """Another server became leader (a higher epoch stands in the store); nothing of the batch was written."""


class Text(msgspec.Struct, frozen=True):
    """A tenant's text or personal data, kept apart from the log so that it can be erased.

    `id` is `<object id>/<what>`, such as `job_01.../spec`. The log holds SHA-256(salt || content) in hex.
    """

    id: str
    salt: bytes
    content: bytes


class Reply(msgspec.Struct, frozen=True):
    """What an idempotent request was answered: kept with its key so that a repetition gets the same."""

    scope: str
    key: str
    body_digest: str
    at_ms: int
    status: int
    content: bytes


class TreeNode(msgspec.Struct, frozen=True):
    """A complete subtree of the log's Merkle tree: level 0 are leaves."""

    level: int
    index: int
    digest: bytes


class Batch(msgspec.Struct):
    """All that one commit writes, or nothing of it. `rows` were derived from the events (app/projections.py)."""

    events: list[SealedEvent] = msgspec.field(default_factory=list)
    subjects: list[tuple[str, int]] = msgspec.field(default_factory=list)
    """(id of the job, project, organisation ... that an event is about, its seq): the index of the log"""
    inserts: dict[str, dict[str, Row]] = msgspec.field(default_factory=dict)
    """table -> primary key -> the new row, complete with the updates of this batch"""
    updates: dict[str, dict[str, Row]] = msgspec.field(default_factory=dict)
    """table -> primary key -> changed columns of a row that was there before this batch"""
    texts: list[Text] = msgspec.field(default_factory=list)
    erased: list[str] = msgspec.field(default_factory=list)
    """ids of texts that are erased with this commit (see Store.erase_text)"""
    replies: list[Reply] = msgspec.field(default_factory=list)
    replies_kept_from_ms: int | None = None
    """replies older than this instant are deleted"""
    tree_nodes: list[TreeNode] = msgspec.field(default_factory=list)
    head: tuple[int, str] | None = None
    """(size of the log, signed note) of a newly signed head"""
    snapshot: tuple[int, bytes] | None = None
    """(seq it stands behind, encoded state)"""


class Page(msgspec.Struct, frozen=True):
    """One page of rows, newest first, and the cursor of the next one (None at the end)."""

    rows: Sequence[Row]
    next_cursor: str | None


class Keeps(msgspec.Struct, frozen=True, kw_only=True):
    """What a store keeps of a commit. What it does not keep is never derived for it.

    `rows` are rows, subjects and tree nodes, `leaves` the canonical bytes of events with their place in the log's tree, `root`
    that tree's root alone: where no leaves are kept, events may be hashed into it later, many at a time;
    `snapshots` says that a state can be read from it again, and that heads are signed.
    """

    rows: bool = True
    texts: bool = True
    leaves: bool = True
    root: bool = True
    snapshots: bool = True


KEEPS_ALL = Keeps()


class Reader(Protocol):
    """Reads of committed rows; may be called from any thread at once."""

    def row(self, table: str, key: str) -> Row | None:
        """Return a row by its primary key (tables and keys: app/projections.PRIMARY_KEYS), or None."""

    def rows(
        self, table: str, where: Mapping[str, object], *, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """Return rows whose columns equal `where`, descending by primary key (ids are time-sortable).

        A value that is a tuple means "one of these"; None means "is null". `cursor` is the last key of the page before.
        """

    def text(self, text_id: str) -> Text | None:
        """Return a text, or None where there is none or it was erased."""

    def events_of(self, subject: str, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return the events about one subject, ascending."""

    def events(self, *, after_seq: int = -1, limit: int = 1000) -> Sequence[SealedEvent]:
        """Return events with a higher seq, ascending."""

    def tree_node(self, level: int, index: int) -> bytes:
        """Return the digest of a complete subtree; raise StoreDamaged where it is missing."""

    def tree_nodes(self, level: int, *, first: int = 0, limit: int = 1000) -> Sequence[tuple[int, bytes]]:
        """Return (index, digest) of the complete subtrees of a level from index `first` on, ascending."""

    def reply(self, scope: str, key: str) -> Reply | None:
        """Return what a request with this idempotency key was answered, or None."""

    def head(self, size: int | None = None) -> tuple[int, str] | None:
        """Return (size, signed note) of the newest head, or of the one with exactly this size."""

    def heads(self, *, limit: int = 1000) -> Sequence[tuple[int, str]]:
        """Return the newest heads, ascending by size."""

    def log_size(self) -> int:
        """Return the number of events in the log."""

    def totals(self, table: str, group_by: Sequence[str], sum_of: Sequence[str], where: Mapping[str, object]) -> Sequence[Row]:
        """Return one row a group with the group's columns, `count`, and the sums of `sum_of`, ordered by group.

        Nulls come first; the sum over nulls alone is 0. Without `group_by` there is one row at most.
        """


class Store(Reader, Protocol):
    """One writer's store. Everything but the reads is called by the applier alone."""

    @property
    def keeps(self) -> Keeps:
        """Return what of a commit is kept."""

    def take_leadership(self) -> int:
        """Raise the epoch by one and return it; every commit with an older epoch fails from now on."""

    def commit(self, batch: Batch, epoch: int) -> None:
        """Write the batch atomically and durably.

        Raise LeadershipLost, StoreFull or StoreUnavailable; then nothing of the batch stands in the store.
        """

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot (seq it stands behind, encoded state), or None."""

    def erase_text(self, text_id: str) -> bool:
        """Erase a text for good and empty the column that shows it (app/projections.TEXT_COLUMNS).

        Return whether there was one.
        """

    def close(self) -> None:
        """Let go of the store."""
