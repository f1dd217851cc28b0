"""The one writer: takes all waiting commands, decides each, commits once, then answers.

Decisions read the state and change nothing; their events are folded into the state at once, so that the next command
of the same batch sees them. Should the commit fail, the state is thrown away and read again from the store: memory
never knows what the store does not (docs/decisions/0002).
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from eisbach.app.admit_jobs import fund_next, plan_attempts
from eisbach.app.commands import Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.draft import Draft
from eisbach.app.recover_state import Recovered, recover
from eisbach.app.snapshot import encode_state
from eisbach.app.state import FactoryState
from eisbach.core.log.head import Head, VerifierKey, sign_head
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import SECOND_MS, Instant
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.clock import Clock
from eisbach.ports.crash import reached
from eisbach.ports.ids import Ids
from eisbach.ports.signer import Signer
from eisbach.ports.store import LeadershipLost, Reply, Store, StoreFull, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger("eisbach.applier")

SNAPSHOT_EVERY = 20_000
"""Events between two snapshots of the state: a restart reads at most so many."""
HEAD_EVERY_MS = SECOND_MS
"""A new head is signed with a commit when the last one is older."""
AGAIN_MAX = 8
BATCH_MAX = 512


class Mailbox(Protocol):
    """Where the answers of a batch go, all at once (an event loop is woken once, not once for each request)."""

    def deliver(self, answers: Sequence[tuple[Any, Answer | BaseException]]) -> None:
        """Take (ticket, answer) pairs; an exception stands for a bug, never for a refusal."""


@dataclass(slots=True)
class _Waiting:
    command: Command | None
    question: Callable[[FactoryState, Instant], Any] | None
    key: IdempotencyKey | None
    mailbox: Mailbox
    ticket: Any


class _FutureMailbox:
    """Resolves concurrent futures."""

    def deliver(self, answers: Sequence[tuple[Any, Answer | BaseException]]) -> None:
        for future, answer in answers:
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)


_FUTURES = _FutureMailbox()


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
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._head_ms = 0
        self._is_head_due = False
        self._head_size = -1
        self._snapshot_seq = -1
        self.failure: str = ""
        self.epoch = store.take_leadership()
        self._adopt(recover(store))

    # What faces call, from any thread.

    def perform(self, command: Command, key: IdempotencyKey | None = None) -> "Future[Answer]":
        """Return a future of the answer; it resolves once the decision is durable."""
        future: Future[Answer] = Future()
        self._put(_Waiting(command, None, key, _FUTURES, future))
        return future

    def post(self, command: Command, key: IdempotencyKey | None, mailbox: Mailbox, ticket: Any) -> None:
        """Like `perform`, but the answer goes to a mailbox with the ticket."""
        self._put(_Waiting(command, None, key, mailbox, ticket))

    def ask(self, question: Callable[[FactoryState, Instant], T]) -> "Future[T]":
        """Return a future of what a question about the state answers, asked between two batches."""
        future: Future[T] = Future()
        self._put(_Waiting(None, question, None, _FUTURES, future))
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
                refusal = Refusal(Reason.NOT_LEADER, "This server is stopping", "Repeat the request when it is back")
                item.mailbox.deliver([(item.ticket, refusal)])
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
        self.run_once(snapshot=True)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._is_stopping:
                    due = self.state.scheduler.next_instant()
                    timeout = None if due is None else max(0.0, (due - self._now()) / 1000)
                    if not self._wake.wait(timeout):
                        break
                if self._is_stopping and not self._waiting:
                    return
            self.run_once()

    def run_once(self, *, snapshot: bool = False) -> bool:
        """Decide up to BATCH_MAX waiting commands and one admission cycle, commit, answer; return whether more is due."""
        with self._wake:
            items = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        answers: list[tuple[_Waiting, Any]] = []
        draft = Draft(self.state, self.frontier, Context(self._now(), self._ids, self.epoch))
        questions: list[_Waiting] = []
        try:
            for item in items:
                if item.question is not None:
                    questions.append(item)
                else:
                    answers.append((item, self._decide(draft, item)))
            is_more_due = self._admit(draft)
            self._commit(draft, snapshot)
        except (StoreFull, StoreUnavailable, LeadershipLost) as error:
            answers = [(item, _as_refusal(error)) for item in items]
            questions, is_more_due = [], False
            self._start_over(error)
        except BaseException as error:
            log.exception("a batch broke an invariant; nothing of it was written")
            self._deliver([(item, error) for item in items])
            self._start_over(error)
            if not isinstance(error, Exception):
                raise
            return False
        self._deliver(answers + [(item, self._answer(item)) for item in questions])
        with self._wake:
            return is_more_due or bool(self._waiting)

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
                draft.take(decision)
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
        if is_due and self.frontier.size != self._head_size:
            head = Head(self.state.origin, self.frontier.size, self.frontier.root())
            key = VerifierKey(self._signer.name, self._signer.public_key)
            draft.batch.head = (head.size, sign_head(head, key, self._signer.sign))
        if snapshot or self.state.next_seq - self._snapshot_seq > SNAPSHOT_EVERY:
            draft.batch.snapshot = (self.state.next_seq - 1, encode_state(self.state))
        if draft.is_empty:
            return
        reached("applier.before_commit")
        self._store.commit(draft.batch, self.epoch)
        reached("applier.after_commit")
        if draft.batch.head is not None:
            self._head_ms, self._head_size, self._is_head_due = now, draft.batch.head[0], False
        if draft.batch.snapshot is not None:
            self._snapshot_seq = draft.batch.snapshot[0]
        self.failure = ""
        self.on_commit(draft)

    def _start_over(self, error: BaseException) -> None:
        """The batch was not written: forget what it did to the state."""
        self.failure = f"{type(error).__name__}: {error}"
        log.error("the store took nothing of a batch: %s", self.failure)
        try:
            self._adopt(recover(self._store))
        except (StoreFull, StoreUnavailable) as again:
            log.error("the state cannot be read again yet: %s", again)
            raise

    def _adopt(self, recovered: Recovered) -> None:
        self.state, self.frontier = recovered.state, recovered.frontier
        self._snapshot_seq = recovered.snapshot_seq
        self._head_size = recovered.head_size

    def _answer(self, item: _Waiting) -> Any:
        assert item.question is not None
        try:
            return item.question(self.state, self._now())
        except Exception as error:  # noqa: BLE001 (the asker gets it)
            return error

    def _deliver(self, answers: Sequence[tuple[_Waiting, Any]]) -> None:
        by_mailbox: dict[int, tuple[Mailbox, list[tuple[Any, Any]]]] = {}
        for item, answer in answers:
            by_mailbox.setdefault(id(item.mailbox), (item.mailbox, []))[1].append((item.ticket, answer))
        for mailbox, pairs in by_mailbox.values():
            mailbox.deliver(pairs)

    def _now(self) -> Instant:
        return Instant(max(self._clock.now(), self.state.last_ms))


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
