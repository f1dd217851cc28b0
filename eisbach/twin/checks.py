"""The invariants of DESIGN, section 6, checked on a world while it goes on: the local ones with every event, the rest now and then.

Two accounts are held against each other: the state that decisions read, and books kept from the events alone (books.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from eisbach.app.check_store import check_store
from eisbach.app.draft import Draft
from eisbach.app.event_codec import open_event
from eisbach.app.fold import apply
from eisbach.app.recover_state import recover
from eisbach.app.snapshot import decode_state, encode_state, fingerprint
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Reason
from eisbach.twin import invariants
from eisbach.twin.books import Books
from eisbach.twin.capacity_books import of_capacity
from eisbach.twin.world import World

FULL_EVERY = 1_000
"""Events between two full checks."""
FOUND_MAX = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """What was broken, with the number of the invariant in front, and when."""

    what: str
    at_ms: int


class Checks:
    """Watches a world. Where its store keeps the log the durable events are read, also after a crash; else each batch tells them."""

    def __init__(self, world: World, *, full_every: int = FULL_EVERY, is_thorough: bool = False) -> None:
        """`is_thorough` looks at the whole state after each batch: for small worlds."""
        self.world, self.books = world, Books()
        self.found: list[Violation] = []
        self.events = 0
        self.full_checks = 0
        self.reasons: set[Reason] = set()
        """why somebody waited when the world was looked at"""
        self._full_every, self._is_thorough = full_every, is_thorough
        self._full_at = full_every
        self._reads_log = world.store.keeps.snapshots
        self._kept: bytes | None = None
        """the state at the last look, as bytes"""
        self.attend()

    def attend(self) -> None:
        """Listen to the world's application, once more after each restart."""
        self.world.application.listeners.append(self._committed)
        self.catch_up()

    def catch_up(self) -> None:
        """Take the events that stand in the store and were not taken yet."""
        while self._reads_log and (page := self.world.store.events(after_seq=self.events - 1, limit=1000)):
            for sealed in page:
                opened = open_event(sealed.data)
                self._note(opened.at_ms, self.books.take(opened.seq, opened.at_ms, opened.body))
            self.events += len(page)

    def look(self) -> None:
        """Check what costs little: the state against itself and against the books. The world is at rest."""
        world = self.world
        if invariants.leaves_stops(world.state.scheduler, world.now):  # to the next cycle, which any event begins
            world.decide([])
            world.rest()
        self.catch_up()
        self._note(world.now, invariants.of_state(world.state))
        self._note(world.now, invariants.against_books(world.state, self.books))
        self._note(world.now, of_capacity(self.books, world.now))
        self._note(world.now, self.books.promises.overdue(world.now))
        self._note(world.now, invariants.at_rest(world.state.scheduler, world.now))

    def look_often(self) -> None:
        """Check what costs little, and that the state follows from what it was at the last such look and the events since."""
        self.look()
        self.full_checks += 1
        self._note(self.world.now, self._followed())

    def look_at_all(self) -> None:
        """Check everything: what each job says, the state as the store gives it, every row, the log."""
        self.look()
        self.full_checks += 1
        self._note(self.world.now, invariants.of_answers(self.world.state, self.world.now, self.reasons))
        self._note(self.world.now, self._rebuilt())

    def _committed(self, draft: Draft) -> None:
        if self._reads_log:
            self.catch_up()
        else:
            at_ms = int(draft.context.now)
            for body in draft.bodies:
                self._note(at_ms, self.books.take(self.events, at_ms, body))
                self.events += 1
        if self._is_thorough:
            self._note(self.world.now, invariants.of_state(self.world.state))

    def is_full_due(self) -> bool:
        """Return whether so many events were seen that everything is to be looked at."""
        if self.events < self._full_at:
            return False
        self._full_at = self.events + self._full_every
        return True

    def _followed(self) -> Iterator[str]:
        """Yield where the state and the one that was kept, with the events since, differ; each look proves one more part of the log."""
        data = encode_state(self.world.state)
        live = sha256(data).digest()
        kept = decode_state(self._kept) if self._kept is not None else FactoryState()
        while self._reads_log and (page := self.world.store.events(after_seq=kept.next_seq - 1, limit=1000)):
            for sealed in page:
                apply(kept, sealed.seq, sealed.at_ms, open_event(sealed.data).body)
        if self._reads_log and sha256(encode_state(kept)).digest() != live:
            yield "9: the state is not what the last one that was looked at and the events since give"
        if sha256(encode_state(decode_state(data))).digest() != live:
            yield "9: the state is another one after it was written and read"
        self._kept = data

    def _rebuilt(self) -> Iterator[str]:
        world, state = self.world, self.world.state
        live = fingerprint(state)
        if fingerprint(decode_state(encode_state(state))) != live:
            yield "9: the state is another one after it was written and read"
        if not self._reads_log:
            return
        rebuilt = recover(world.store, from_snapshot=False).state
        if fingerprint(rebuilt) != live:
            yield "9: the state rebuilt from the whole log is not the live state"
        yield from invariants.at_rest_anew(state.scheduler, rebuilt.scheduler, world.now)
        if fingerprint(recover(world.store).state) != live:
            yield "9: the state rebuilt from the newest snapshot is not the live state"
        for finding in check_store(world.store, findings_max=5):
            yield f"6: {finding}"

    def find(self, what: str) -> None:
        """Note what somebody else found."""
        self.found.append(Violation(what, self.world.now))

    def _note(self, at_ms: int, broken: Iterator[str]) -> None:
        for what in broken:
            if len(self.found) < FOUND_MAX:
                self.found.append(Violation(what, at_ms))
