"""One batch: commands are decided one after the other, the queue lets start what fits, one commit writes it all.

Decisions read the state and change nothing; their events are folded into the state at once, so that the next command
of the same batch sees them. Should the commit fail, the state is thrown away and read again from the store: memory
never knows what the store does not (docs/decisions/0003). Nothing here waits or knows threads: app/applier.py calls it
on its own thread, the twin inline.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from eisbach.app import when_needed
from eisbach.app.admit_jobs import fund_next, plan_attempts
from eisbach.app.commands import Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.draft import Draft
from eisbach.app.due_on_nodes import due_on_nodes
from eisbach.app.end_stranded import end_stranded
from eisbach.app.events import AttemptEnded, AttemptPlanned, AttemptRunning, JobStopping, JobSubmitted, UsageSettled
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.app.late_leaves import LateLeaves
from eisbach.app.move_promises import move_promises
from eisbach.app.recover_state import Recovered, recover
from eisbach.core.log.tree import Frontier
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import SECOND_MS, Instant
from eisbach.core.vocabulary.reasons import Reason, Refusal, logged_at
from eisbach.ports.clock import Clock
from eisbach.ports.crash import armed, reached
from eisbach.ports.ids import Ids
from eisbach.ports.signer import Signer
from eisbach.ports.store import Batch, LeadershipLost, Reply, Store, StoreFull, StoreUnavailable

log = logging.getLogger("eisbach.applier")

SNAPSHOT_EVERY: Final = 20_000
"""Events between two snapshots of the state: a restart reads at most so many."""
HEAD_EVERY_MS: Final = 10 * SECOND_MS
"""A new head is signed with a commit when the last one is older."""
AGAIN_MAX: Final = 8
_TRIES: Final = range(AGAIN_MAX)

Asked = tuple[Command, IdempotencyKey | None]
"""A command, and the key under which its answer is kept."""

_CRASH_STEPS: Final = {
    JobSubmitted: "submit",
    AttemptPlanned: "start",
    AttemptRunning: "run",
    JobStopping: "stop",
    AttemptEnded: "end",
    UsageSettled: "settle",
    UsageSettledTogether: "settle",
}


class Writer:
    """Owns the state and the write side of the store; everything it does happens on one thread."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, signer: Signer, on_commit: Callable[[Draft], None]
    ) -> None:
        self._store, self._clock, self._ids, self._signer = store, clock, ids, signer
        self.on_commit = on_commit
        self.on_deposed: Callable[[], None] = lambda: None
        self.is_head_due = False
        self.failure: str = ""
        self.is_adrift = False
        """whether the state is not what the store holds; until `find_state` worked nothing is decided"""
        self._spare: Batch | None = None
        self._head_ms = 0
        self._head_size = -1
        self._snapshot_seq = -1
        when_needed.load(store.keeps)
        self.epoch = store.take_leadership()
        self._adopt(recover(store))
        clock.not_before(Instant(self.state.last_ms))

    @property
    def frontier(self) -> Frontier:
        """Return where the log's tree stands."""
        return self._late.seal()

    def now(self) -> Instant:
        """Return the instant of the next batch."""
        now, last_ms = self._clock.now(), self.state.last_ms
        return now if now >= last_ms else Instant(last_ms)

    def write(self, asked: Sequence[Asked], *, snapshot: bool = False) -> tuple[list[Any], bool]:
        """Decide, commit, and return the answers that may be given now, in order, and whether more is due."""
        context = Context(self.now(), self._ids, self.epoch, self._store.keeps)
        draft = Draft(self.state, self._frontier, self._late, context, self._spare)
        self._spare = None
        try:
            answers: list[Any] = []
            for command, key in asked:
                answers.append(self._decide(draft, command, key))
            is_more_due = self._admit(draft)
            self._commit(draft, snapshot)
        except (StoreFull, StoreUnavailable, LeadershipLost) as error:
            self._start_over(error)
            return [as_refusal(error)] * len(asked), False
        except Exception as error:
            if not self._store.keeps.snapshots:
                raise  # there is nothing that the state could be read from again
            log.exception("a batch broke an invariant; nothing of it was written")
            self._start_over(error)
            if len(asked) < 2 or self.is_adrift:
                return [error] * len(asked), False
            # Whoever broke it fails alone: each is decided once more in a batch of its own.
            return [answer for one in asked for answer in self.write([one])[0]], True
        return answers, is_more_due

    def find_state(self) -> bool:
        """Read the state again; return whether that worked. Until then nothing is decided and nothing answered."""
        try:
            self._adopt(recover(self._store))
        except Exception as error:  # noqa: BLE001 (whatever it is: the thread lives on and tries again)
            self.fails_with(error)
            return False
        self.is_adrift = False
        return True

    def fails_with(self, error: BaseException) -> None:
        """Note why nothing can be written now; /healthz says so."""
        failure = f"{type(error).__name__}: {error}"
        if failure != self.failure:
            log.error("the store takes nothing: %s", failure)
        self.failure = failure

    def _decide(self, draft: Draft, command: Command, key: IdempotencyKey | None) -> Answer | BaseException:
        if key is not None:
            known = draft.reply(key) or self._store.reply(key.scope, key.key)
            if known is not None:
                return _replay(known, key)
        state, context = self.state, draft.context
        try:
            for _ in _TRIES:
                decision = command(state, context)
                if isinstance(decision, Refusal):
                    return decision
                if decision.refusal is not None:
                    refusal = logged_at(decision.refusal, state.next_seq)
                    draft.take(decision)
                    return refusal
                draft.take(decision)
                if not decision.again:
                    return decision.reply if key is None and not decision.secret_reply else self._replied(draft, decision, key)
        except Exception as error:
            if draft.is_broken:
                raise
            log.exception("a command failed")
            return error
        return BrokenInvariant(f"a command is decided within {AGAIN_MAX} steps")

    def _replied(self, draft: Draft, decision: Decision, key: IdempotencyKey | None) -> Answer:
        if key is not None:
            content = msgspec.json.encode(decision.reply)
            draft.remember(Reply(key.scope, key.key, key.body_digest, draft.context.now, decision.status, content))
        return {**decision.reply, **decision.secret_reply} if decision.secret_reply else decision.reply

    def _admit(self, draft: Draft) -> bool:
        state, context, scheduler = self.state, draft.context, self.state.scheduler
        if not scheduler.agenda.is_calm(context.now):
            while events := due_on_nodes(state, context):
                draft.add_all(events)
            while (ended := end_stranded(state, context)) is not None:
                draft.take(ended)
            while events := when_needed.due_moves(state, context):
                draft.add_all(events)
            while events := move_promises(state):
                draft.add_all(events)
        while scheduler.unfunded and (events := fund_next(state, context)):
            draft.add_all(events)
        events, plan = plan_attempts(state, context)
        if events:
            draft.add_all(events)
        scheduler.settle(plan, context.now)
        return not plan.is_whole

    def _commit(self, draft: Draft, snapshot: bool) -> None:
        now, batch = draft.context.now, draft.batch
        if draft.context.keeps.snapshots:
            self._sign_and_save(draft, now, snapshot)
        has_empty_batch = draft.has_empty_batch
        if has_empty_batch and not draft.bodies:
            return
        is_armed = armed()
        if is_armed:
            _reached(draft, "before_commit")
        self._store.commit(batch, self.epoch)
        if is_armed:
            _reached(draft, "after_commit")
        if has_empty_batch:
            self._spare = batch
        else:
            if batch.head is not None:
                self._head_ms, self._head_size, self.is_head_due = now, batch.head[0], False
            if batch.snapshot is not None:
                self._snapshot_seq = batch.snapshot[0]
        self.failure = ""
        try:
            self.on_commit(draft)
        except Exception:
            if not draft.context.keeps.snapshots:
                raise  # nobody reads this log: a run that goes on would tell wrong figures
            log.exception("a listener failed; the batch stands, and the next round tells the engine what it missed")

    def _sign_and_save(self, draft: Draft, now: int, snapshot: bool) -> None:
        """Add a signed head and a snapshot of the state to a batch where they are due."""
        is_due = snapshot or self.is_head_due or now - self._head_ms >= HEAD_EVERY_MS
        # After a failure the same head is written again where there is nothing else: it shows that the store is back.
        size = self._frontier.size
        if (is_due and size != self._head_size) or (self.failure and size):
            draft.batch.head = (size, when_needed.signed_head(self.state.origin, size, self._frontier.root(), self._signer))
        if snapshot or self.state.next_seq - self._snapshot_seq > SNAPSHOT_EVERY:
            draft.batch.snapshot = (self.state.next_seq - 1, when_needed.encode_state(self.state))

    def _start_over(self, error: Exception) -> None:
        """The batch was not written: forget what it did to the state."""
        self.fails_with(error)
        self.is_adrift = True
        if isinstance(error, LeadershipLost):
            self.on_deposed()
        self.find_state()

    def _adopt(self, recovered: Recovered) -> None:
        self.state, self._frontier = recovered.state, recovered.frontier
        self._late = LateLeaves(self._frontier)
        self._snapshot_seq = recovered.snapshot_seq
        self._head_size = recovered.head_size


def _reached(draft: Draft, when: str) -> None:
    """A crash point of the whole batch, then one for each step that a job takes in it."""
    reached(f"applier.{when}")
    for step in sorted({_CRASH_STEPS[type(body)] for body in draft.bodies if type(body) in _CRASH_STEPS}):
        reached(f"{step}.{when}")


def _replay(known: Reply, key: IdempotencyKey) -> Answer:
    if known.body_digest != key.body_digest:
        return Refusal(
            Reason.IDEMPOTENCY_CONFLICT,
            f"The idempotency key {key.key!r} was used before with another request",
            "Use a new key for a new request, or repeat the old request unchanged",
        )
    return {**msgspec.json.decode(known.content), "idempotent_replay": True}


def as_refusal(error: Exception) -> Refusal:
    """Return what is answered where the store took nothing."""
    if isinstance(error, StoreFull):
        return Refusal(
            Reason.STORE_FULL, "The disk under the factory's store is full; nothing was changed", "Repeat it later"
        )
    if isinstance(error, LeadershipLost):
        return Refusal(Reason.NOT_LEADER, "Another server took over this factory; nothing was changed", "Repeat it there")
    return Refusal(Reason.STORE_UNAVAILABLE, f"The store took nothing: {error}; nothing was changed", "Repeat it later")
