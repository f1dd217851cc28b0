"""The one writer: takes all waiting commands, decides each, commits once, then answers.

Decisions read the state and change nothing; their events are folded into the state at once, so that the next command
of the same batch sees them. Should the commit fail, the state is thrown away and read again from the store: memory
never knows what the store does not (docs/decisions/0003).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from eisbach.app.admit_jobs import fund_next, plan_attempts
from eisbach.app.commands import Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.draft import Draft
from eisbach.app.events import AttemptEnded, AttemptPlanned, AttemptRunning, JobStopping, JobSubmitted, UsageSettled
from eisbach.app.mailbox import FUTURES, Mailbox
from eisbach.app.recover_state import Recovered, recover
from eisbach.app.snapshot import encode_state
from eisbach.app.state import FactoryState
from eisbach.core.log.head import Head, VerifierKey, sign_head
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import SECOND_MS, Instant
from eisbach.core.vocabulary.reasons import Reason, Refusal, logged_at
from eisbach.ports.clock import Clock
from eisbach.ports.crash import armed, reached
from eisbach.ports.ids import Ids
from eisbach.ports.signer import Signer
from eisbach.ports.store import LeadershipLost, Reply, Store, StoreFull, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger("eisbach.applier")

SNAPSHOT_EVERY = 20_000
"""Events between two snapshots of the state: a restart reads at most so many."""
HEAD_EVERY_MS = 10 * SECOND_MS
"""A new head is signed with a commit when the last one is older."""
AGAIN_MAX = 8
GATHER_S, GATHER_WITHIN_S, GATHER_ENOUGH = 0.002, 0.010, 32
"""Under load (the last commit is younger than the second) a batch of fewer than the third waits for the first, in
seconds: whoever was just answered asks again at once, and one commit costs as much as several decisions."""
WAITING_MAX = 20_000
"""Requests of clients that may wait to be decided: a store that stalls must not fill the memory."""
BATCH_MAX = 512
PAUSE_AFTER_FAILURE_S = 1.0
"""While the store takes nothing, what is due by itself is tried again this often."""

_CRASH_STEPS = {
    JobSubmitted: "submit",
    AttemptPlanned: "start",
    AttemptRunning: "run",
    JobStopping: "stop",
    AttemptEnded: "end",
    UsageSettled: "settle",
}


@dataclass(slots=True)
class _Waiting:
    command: Command | None
    question: Callable[[FactoryState, Instant], Any] | None
    key: IdempotencyKey | None
    mailbox: Mailbox
    ticket: Any


class Applier:
    """Owns the state and the write side of the store; everything it does happens on one thread (or inline)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        signer: Signer,
        on_commit: Callable[[Draft], None] = lambda draft: None,
    ) -> None:
        self._store, self._clock, self._ids, self._signer = store, clock, ids, signer
        self.on_commit = on_commit
        self.on_deposed: Callable[[], None] = lambda: None
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._head_ms = 0
        self._is_head_due = False
        self._head_size = -1
        self._snapshot_seq = -1
        self.failure: str = ""
        self._is_adrift = False
        self.epoch = store.take_leadership()
        self._adopt(recover(store))
        clock.not_before(Instant(self.state.last_ms))

    # What faces call, from any thread.

    def perform(self, command: Command, key: IdempotencyKey | None = None) -> "Future[Answer]":
        """Return a future of the answer; it resolves once the decision is durable."""
        future: Future[Answer] = Future()
        self._put(_Waiting(command, None, key, FUTURES, future))
        return future

    def post(self, command: Command, key: IdempotencyKey | None, mailbox: Mailbox, ticket: Any) -> None:
        """Like `perform`, but the answer goes to a mailbox with the ticket; refused while too many wait already."""
        if len(self._waiting) >= WAITING_MAX:
            what = f"{len(self._waiting)} requests wait for the store already"
            mailbox.deliver([(ticket, Refusal(Reason.OVERLOADED, what, "Repeat it in a moment, with the same key"))])
            return
        self._put(_Waiting(command, None, key, mailbox, ticket))

    def ask(self, question: Callable[[FactoryState, Instant], T]) -> "Future[T]":
        """Return a future of what a question about the state answers, asked between two batches."""
        future: Future[T] = Future()
        self._put(_Waiting(None, question, None, FUTURES, future))
        return future

    def sign_head(self) -> "Future[Answer]":
        """Have a head signed with the next batch where the log has grown since the last one."""

        def decide(state: FactoryState, context: Context) -> Decision | Refusal:
            self._is_head_due = True
            return Decision()

        return self.perform(decide)

    def _put(self, item: _Waiting) -> None:
        with self._wake:
            if self._is_stopping:
                item.mailbox.deliver([(item.ticket, _not_taken(item))])
                return
            self._waiting.append(item)
            self._wake.notify()

    # The thread.

    def start(self) -> None:
        """Run on a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, name="applier")
        self._thread.start()

    def stop(self) -> None:
        """Decide what is waiting, take a snapshot, and end the thread."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        self.drain()
        self.run_once(snapshot=True)

    def _run(self) -> None:
        try:
            self._decide_all()
        except BaseException as error:
            self._fails_with(error)  # /healthz says so; nobody is left waiting for an answer that cannot come
            raise
        finally:
            self._refuse_waiting()

    def _decide_all(self) -> None:
        is_more_due = False
        committed_s = 0.0
        while True:
            with self._wake:
                while not self._waiting and not self._is_stopping and not is_more_due:
                    if not self._wake.wait(self._seconds_until_due()):
                        break
                if self._is_stopping and not self._waiting:
                    return
            if len(self._waiting) < GATHER_ENOUGH and time.monotonic() - committed_s < GATHER_WITHIN_S:
                time.sleep(GATHER_S)
            is_more_due = self.run_once()
            committed_s = time.monotonic()

    def _refuse_waiting(self) -> None:
        with self._wake:
            self._is_stopping = True
            waiting = list(self._waiting)
            self._waiting.clear()
        self._deliver([(item, _not_taken(item)) for item in waiting])

    def _seconds_until_due(self) -> float | None:
        due = self.state.scheduler.next_instant()
        if due is None:
            return None
        seconds = max(0.0, (due - self._now()) / 1000)
        return max(seconds, PAUSE_AFTER_FAILURE_S) if self.failure else seconds

    def run_once(self, *, snapshot: bool = False) -> bool:
        """Decide up to BATCH_MAX waiting commands and one admission cycle, commit, answer; return whether more is due."""
        with self._wake:
            items = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        commands = [item for item in items if item.command is not None]
        answers: list[tuple[_Waiting, Any]] = []
        is_more_due = False
        try:
            if self._is_adrift and not self._find_state():
                answers = [(item, _as_refusal(StoreUnavailable(self.failure))) for item in commands]
            else:
                answers, is_more_due = self._batch(commands, snapshot)
        except BaseException as error:
            self._is_adrift = True
            self._deliver([(item, error) for item in items])
            raise
        self._deliver(answers + [(item, self._answer(item)) for item in items if item.question is not None])
        if answers:
            reached("applier.after_answers")
        with self._wake:
            return is_more_due or bool(self._waiting)

    def _batch(self, items: Sequence[_Waiting], snapshot: bool) -> tuple[list[tuple[_Waiting, Any]], bool]:
        """Decide, commit, and return the answers that may be given now, and whether more is due."""
        draft = Draft(self.state, self.frontier, Context(self._now(), self._ids, self.epoch))
        try:
            answers: list[tuple[_Waiting, Any]] = [(item, self._decide(draft, item)) for item in items]
            is_more_due = self._admit(draft)
            self._commit(draft, snapshot)
        except (StoreFull, StoreUnavailable, LeadershipLost) as error:
            self._start_over(error)
            return [(item, _as_refusal(error)) for item in items], False
        except Exception as error:
            log.exception("a batch broke an invariant; nothing of it was written")
            self._start_over(error)
            if len(items) < 2 or self._is_adrift:
                return [(item, error) for item in items], False
            # Whoever broke it fails alone: each is decided once more in a batch of its own.
            return [pair for item in items for pair in self._batch([item], snapshot=False)[0]], True
        return answers, is_more_due

    @property
    def has_waiting(self) -> bool:
        """Return whether somebody waits for a decision or an answer."""
        return bool(self._waiting)

    def drain(self) -> None:
        """Run until nothing is due any more: for callers that work inline, without the thread."""
        while self.run_once():
            pass

    # One batch.

    def _decide(self, draft: Draft, item: _Waiting) -> Answer | BaseException:
        if item.key is not None:
            known = draft.reply(item.key) or self._store.reply(item.key.scope, item.key.key)
            if known is not None:
                return _replay(known, item.key)
        try:
            assert item.command is not None
            decision = item.command(self.state, draft.context)
            for _ in range(AGAIN_MAX):
                if isinstance(decision, Refusal):
                    return decision
                position = self.state.next_seq
                draft.take(decision)
                if decision.refusal is not None:
                    return logged_at(decision.refusal, position)
                if not decision.again:
                    return self._replied(draft, decision, item.key)
                decision = item.command(self.state, draft.context)
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
        while events := fund_next(self.state, draft.context):
            draft.add_all(events)
        starts, is_more_due = plan_attempts(self.state, draft.context)
        draft.add_all(starts)
        return is_more_due

    def _commit(self, draft: Draft, snapshot: bool) -> None:
        now = draft.context.now
        is_due = snapshot or self._is_head_due or now - self._head_ms >= HEAD_EVERY_MS
        # After a failure the same head is written again where there is nothing else: it shows that the store is back.
        if (is_due and self.frontier.size != self._head_size) or (self.failure and self.frontier.size):
            head = Head(self.state.origin, self.frontier.size, self.frontier.root())
            key = VerifierKey(self._signer.name, self._signer.public_key)
            draft.batch.head = (head.size, sign_head(head, key, self._signer.sign))
        if snapshot or self.state.next_seq - self._snapshot_seq > SNAPSHOT_EVERY:
            draft.batch.snapshot = (self.state.next_seq - 1, encode_state(self.state))
        if draft.is_empty:
            return
        _reached(draft, "before_commit")
        self._store.commit(draft.batch, self.epoch)
        _reached(draft, "after_commit")
        if draft.batch.head is not None:
            self._head_ms, self._head_size, self._is_head_due = now, draft.batch.head[0], False
        if draft.batch.snapshot is not None:
            self._snapshot_seq = draft.batch.snapshot[0]
        self.failure = ""
        try:
            self.on_commit(draft)
        except Exception:
            log.exception("a listener failed; the batch stands, and the next round tells the engine what it missed")

    def _start_over(self, error: Exception) -> None:
        """The batch was not written: forget what it did to the state."""
        self._fails_with(error)
        self._is_adrift = True
        if isinstance(error, LeadershipLost):
            self.on_deposed()
        self._find_state()

    def _find_state(self) -> bool:
        """Read the state again; return whether that worked. Until then nothing is decided and nothing answered."""
        try:
            self._adopt(recover(self._store))
        except Exception as error:  # noqa: BLE001 (whatever it is: the thread lives on and tries again)
            self._fails_with(error)
            return False
        self._is_adrift = False
        return True

    def _fails_with(self, error: BaseException) -> None:
        failure = f"{type(error).__name__}: {error}"
        if failure != self.failure:
            log.error("the store takes nothing: %s", failure)
        self.failure = failure

    def _adopt(self, recovered: Recovered) -> None:
        self.state, self.frontier = recovered.state, recovered.frontier
        self._snapshot_seq = recovered.snapshot_seq
        self._head_size = recovered.head_size

    def _answer(self, item: _Waiting) -> Any:
        assert item.question is not None
        if self._is_adrift:
            return StoreUnavailable(self.failure)
        try:
            return item.question(self.state, self._now())
        except Exception as error:  # noqa: BLE001 (the asker gets it)
            return error

    def _deliver(self, answers: Sequence[tuple[_Waiting, Any]]) -> None:
        by_mailbox: dict[int, tuple[Mailbox, list[tuple[Any, Any]]]] = {}
        for item, answer in answers:
            by_mailbox.setdefault(id(item.mailbox), (item.mailbox, []))[1].append((item.ticket, answer))
        for mailbox, pairs in by_mailbox.values():
            try:
                mailbox.deliver(pairs)
            except Exception:
                log.exception("answers could not be delivered; what was decided stands")

    def _now(self) -> Instant:
        return Instant(max(self._clock.now(), self.state.last_ms))


def _reached(draft: Draft, when: str) -> None:
    """A crash point of the whole batch, then one for each step that a job takes in it."""
    reached(f"applier.{when}")
    if armed():
        for step in sorted({_CRASH_STEPS[type(body)] for body in draft.bodies if type(body) in _CRASH_STEPS}):
            reached(f"{step}.{when}")


def _not_taken(item: _Waiting) -> Any:
    """What is answered to a command or a question that nobody will look at any more."""
    if item.question is not None:
        return StoreUnavailable("this server is stopping")
    return Refusal(Reason.NOT_LEADER, "This server is stopping", "Repeat the request when it is back")


def _replay(known: Reply, key: IdempotencyKey) -> Answer:
    if known.body_digest != key.body_digest:
        return Refusal(
            Reason.IDEMPOTENCY_CONFLICT,
            f"The idempotency key {key.key!r} was used before with another request",
            "Use a new key for a new request, or repeat the old request unchanged",
        )
    return {**msgspec.json.decode(known.content), "idempotent_replay": True}


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, StoreFull):
        return Refusal(
            Reason.STORE_FULL, "The disk under the factory's store is full; nothing was changed", "Repeat it later"
        )
    if isinstance(error, LeadershipLost):
        return Refusal(Reason.NOT_LEADER, "Another server took over this factory; nothing was changed", "Repeat it there")
    return Refusal(Reason.STORE_UNAVAILABLE, f"The store took nothing: {error}; nothing was changed", "Repeat it later")
