"""What a batch is going to write: events sealed, folded into the state and turned into rows as they are added."""

from collections.abc import Iterable, Sequence
from typing import Final

from eisbach.app import when_needed
from eisbach.app.commands import Context, Decision, IdempotencyKey
from eisbach.app.event_codec import seal
from eisbach.app.events import Body
from eisbach.app.fold import apply_next
from eisbach.app.late_leaves import LateLeaves
from eisbach.app.state import FactoryState
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.tree import Frontier
from eisbach.core.vocabulary.quantities import Instant
from eisbach.ports.store import Batch, Reply, Text, TreeNode

_NO_TEXTS: Final[dict[str, str]] = {}


class Draft:
    """A batch that grows. `bodies` are the events that were added, for whoever acts once they are durable."""

    __slots__ = ("_is_kept", "_late", "_replies", "batch", "bodies", "context", "frontier", "is_broken", "state")

    def __init__(
        self, state: FactoryState, frontier: Frontier, late: LateLeaves, context: Context, batch: Batch | None = None
    ) -> None:
        """`late` takes events of which only the root is kept; `batch` is an empty one that is used again, None for a new one."""
        self.state, self.frontier, self._late, self.context = state, frontier, late, context
        keeps = context.keeps
        self._is_kept = keeps.leaves or keeps.root or keeps.rows
        self.batch = batch if batch is not None else Batch()
        self.bodies: list[Body] = []
        self.is_broken = False
        self._replies: dict[tuple[str, str], Reply] = {}

    @property
    def has_empty_batch(self) -> bool:
        """Return whether nothing of it is to be written: a store that keeps nothing gets the same batch again."""
        batch = self.batch
        is_written = batch.events or batch.texts or batch.replies or batch.head or batch.snapshot or batch.erased
        return not is_written and batch.replies_kept_from_ms is None

    def take(self, decision: Decision) -> None:
        """Add a decision's texts and events."""
        if decision.erased:
            self.batch.erased.extend(decision.erased)
        if decision.replies_kept_from_ms is not None:
            self.batch.replies_kept_from_ms = decision.replies_kept_from_ms
        if not decision.texts:
            if decision.events:
                self.add_all(decision.events)
            return
        self.batch.texts.extend(decision.texts)
        self.add_all(decision.events, {text.id: text.content.decode() for text in decision.texts})
        self._name(decision.texts)

    def add_all(self, events: Sequence[Body], texts: dict[str, str] = _NO_TEXTS) -> None:
        """Seal events, fold them into the state, derive their rows, as far as the store keeps any of that."""
        state, now, is_kept = self.state, self.context.now, self._is_kept
        try:
            for body in events:
                if is_kept:
                    self._keep(state.next_seq, now, body, texts)
                apply_next(state, now, body)
        except BaseException:
            self.is_broken = True
            raise
        self.bodies.extend(events)

    def _keep(self, seq: int, now: Instant, body: Body, texts: dict[str, str]) -> None:
        keeps = self.context.keeps
        if keeps.leaves:
            self._append(seal(seq, now, body, self.context.ids.salt()))
        elif keeps.root:
            self._late.add(seq, now, body, self.context.ids.salt())
        if keeps.rows:
            when_needed.add_rows(self.batch, seq, now, body, texts)

    def _append(self, sealed: SealedEvent) -> None:
        self.batch.events.append(sealed)
        completed = self.frontier.append(sealed.leaf)
        if self.context.keeps.rows:
            self.batch.tree_nodes.extend([TreeNode(*node) for node in completed])

    def reply(self, key: IdempotencyKey) -> Reply | None:
        """Return what an earlier request of this batch with the same key was answered."""
        return self._replies.get((key.scope, key.key))

    def remember(self, reply: Reply) -> None:
        """Keep a reply with its key."""
        self._replies[reply.scope, reply.key] = reply
        self.batch.replies.append(reply)

    def _name(self, texts: Iterable[Text]) -> None:
        for text in texts:
            owner, _, what = text.id.partition("/")
            if what != "name":
                continue
            if owner in self.state.projects:
                self.state.projects[owner].name = text.content.decode()
            elif owner in self.state.organisations:
                self.state.organisations[owner].name = text.content.decode()
