"""The one writer's queue: takes all waiting commands, has them decided and committed as one batch, then answers."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import msgspec

from eisbach.app.commands import Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.draft import Draft
from eisbach.app.mailbox import FUTURES, NOBODY, Mailbox
from eisbach.app.state import FactoryState
from eisbach.app.writer import Asked, Writer, as_refusal
from eisbach.core.log.tree import Frontier
from eisbach.core.vocabulary.quantities import Instant
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.clock import Clock
from eisbach.ports.crash import reached
from eisbach.ports.ids import Ids
from eisbach.ports.signer import Signer
from eisbach.ports.store import Store, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger("eisbach.applier")

GATHER_S: Final = 0.002
GATHER_WITHIN_S: Final = 0.010
GATHER_ENOUGH: Final = 32
"""Under load (the last commit is younger than the second) a batch of fewer than the third waits for the first, in
seconds: whoever was just answered asks again at once, and one commit costs as much as several decisions."""
WAITING_MAX: Final = 20_000
"""Requests of clients that may wait to be decided: a store that stalls must not fill the memory."""
BATCH_MAX: Final = 512
PAUSE_AFTER_FAILURE_S: Final = 1.0
"""While the store takes nothing, what is due by itself is tried again this often."""


class _Waiting(msgspec.Struct):
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
        *,
        is_inline: bool = False,
    ) -> None:
        self._writer = Writer(store, clock, ids, signer, on_commit)
        self.on_deposed: Callable[[], None] = lambda: None
        self._writer.on_deposed = lambda: self.on_deposed()
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._worker: threading.Thread | None = None
        self._is_stopping = False
        self._is_inline = is_inline
        self._is_more_due = False
        self._noted: list[Asked] = []

    @property
    def state(self) -> FactoryState:
        """Return the state that decisions read; it changes on the applier's thread."""
        return self._writer.state

    @property
    def frontier(self) -> Frontier:
        """Return where the log's tree stands."""
        return self._writer.frontier

    @property
    def epoch(self) -> int:
        """Return the epoch under which this server leads."""
        return self._writer.epoch

    @property
    def on_commit(self) -> Callable[[Draft], None]:
        """Return what is called with each batch that stands in the store."""
        return self._writer.on_commit

    @on_commit.setter
    def on_commit(self, listener: Callable[[Draft], None]) -> None:
        self._writer.on_commit = listener

    @property
    def failure(self) -> str:
        """Return why nothing can be written now, empty where everything can."""
        return self._writer.failure

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

    def note(self, command: Command, *, is_urgent: bool = True) -> None:
        """Have a command decided with the next batch; nobody waits for the answer. Inline, only an urgent one is a reason
        for a batch at this instant (`is_more_due`)."""
        if self._is_inline:
            self._noted.append((command, None))
            self._is_more_due |= is_urgent
        else:
            self._add(_Waiting(command, None, None, NOBODY, None))

    def ask(self, question: Callable[[FactoryState, Instant], T]) -> "Future[T]":
        """Return a future of what a question about the state answers, asked between two batches."""
        future: Future[T] = Future()
        self._put(_Waiting(None, question, None, FUTURES, future))
        return future

    def sign_head(self) -> "Future[Answer]":
        """Have a head signed with the next batch where the log has grown since the last one."""

        def decide(state: FactoryState, context: Context) -> Decision | Refusal:
            self._writer.is_head_due = True
            return Decision()

        return self.perform(decide)

    def decide_now(self, commands: Sequence[Command]) -> list[Any]:
        """Decide what was noted and then these commands in one batch, inline; return the answers to these."""
        asked, self._noted = self._noted, []
        noted = len(asked)
        for command in commands:
            asked.append((command, None))
        self._is_more_due = False
        answers, is_more_due = self._writer.write(asked)
        self._is_more_due |= is_more_due
        return answers[noted:] if noted else answers

    def _put(self, item: _Waiting) -> None:
        self._add(item)
        if self._is_inline:
            if self._noted:
                self.decide_now(())
            self.drain()

    def _add(self, item: _Waiting) -> None:
        with self._wake:
            if self._is_stopping:
                item.mailbox.deliver([(item.ticket, _not_taken(item))])
                return
            self._waiting.append(item)
            self._wake.notify()

    # The thread.

    def start(self) -> None:
        """Run on a thread of its own until `stop`."""
        self._worker = threading.Thread(target=self._run, name="applier")
        self._worker.start()

    def stop(self) -> None:
        """Decide what is waiting, take a snapshot, and end the thread."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._worker is not None:
            self._worker.join()
        self.drain()
        self.run_once(snapshot=True)

    def _run(self) -> None:
        try:
            self._decide_all()
        except BaseException as error:
            self._writer.fails_with(error)  # /healthz says so; nobody is left waiting for an answer that cannot come
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
        writer = self._writer
        due = writer.state.scheduler.next_instant()
        if due is None:
            return None
        seconds = max(0.0, (due - writer.now()) / 1000)
        return max(seconds, PAUSE_AFTER_FAILURE_S) if writer.failure else seconds

    def run_once(self, *, snapshot: bool = False) -> bool:
        """Decide up to BATCH_MAX waiting commands and one admission cycle, commit, answer; return whether more is due."""
        with self._wake:
            items = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        commands = [item for item in items if item.command is not None]
        answers: list[Any] = []
        is_more_due = False
        writer = self._writer
        try:
            if writer.is_adrift and not writer.find_state():
                answers = [as_refusal(StoreUnavailable(writer.failure))] * len(commands)
            else:
                asked = [(item.command, item.key) for item in commands if item.command is not None]
                answers, is_more_due = writer.write(asked, snapshot=snapshot)
        except BaseException as error:
            writer.is_adrift = True
            self._deliver([(item, error) for item in items])
            raise
        told = list(zip(commands, answers, strict=True))
        self._deliver(told + [(item, self._answer(item)) for item in items if item.question is not None])
        if told:
            reached("applier.after_answers")
        with self._wake:
            return is_more_due or bool(self._waiting)

    @property
    def has_waiting(self) -> bool:
        """Return whether somebody waits for a decision or an answer."""
        return bool(self._waiting)

    @property
    def is_more_due(self) -> bool:
        """Return whether the batch of `decide_now` left more to do at this instant."""
        return self._is_more_due

    def drain(self) -> None:
        """Run until nothing is due any more: for callers that work inline, without the thread."""
        while self.run_once():
            pass

    def _answer(self, item: _Waiting) -> Any:
        assert item.question is not None
        writer = self._writer
        if writer.is_adrift:
            return StoreUnavailable(writer.failure)
        try:
            return item.question(writer.state, writer.now())
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


def _not_taken(item: _Waiting) -> Any:
    """What is answered to a command or a question that nobody will look at any more."""
    if item.question is not None:
        return StoreUnavailable("this server is stopping")
    return Refusal(Reason.NOT_LEADER, "This server is stopping", "Repeat the request when it is back")
