"""How an answer of the applier's thread comes back to the event loop: many answers, one wake-up."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from eisbach.app.application import Application
from eisbach.app.commands import Answer, Command, IdempotencyKey

T = TypeVar("T")


class LoopMailbox:
    """Takes a batch of answers to one event loop (an app.mailbox.Mailbox); its tickets are the loop's futures.

    asyncio.wrap_future would wake the loop once for each answer, a system call each; this wakes it once for a batch.
    """

    __slots__ = ("loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def deliver(self, answers: Sequence[tuple[Any, Any]]) -> None:
        """Have the futures settled on their loop; a loop that has been closed has nobody left to tell."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(_settle, answers)


class Settling:
    """Lets coroutines wait for what the applier's thread answers."""

    __slots__ = ("_mailbox",)

    def __init__(self) -> None:
        self._mailbox: LoopMailbox | None = None

    async def perform(self, application: Application, command: Command, key: IdempotencyKey | None) -> Answer:
        """Return the answer once it is durable. Giving up waiting stops nothing: the command may be decided."""
        mailbox = self._of_loop()
        waiter: asyncio.Future[Answer] = mailbox.loop.create_future()
        application.post(command, key, mailbox, waiter)
        return await waiter

    async def wait(self, answer: "Future[T]") -> T:
        """Return what another thread's future brings, or raise its error."""
        mailbox = self._of_loop()
        waiter: asyncio.Future[T] = mailbox.loop.create_future()
        answer.add_done_callback(partial(_pass_on, mailbox, waiter))
        return await waiter

    def _of_loop(self) -> LoopMailbox:
        loop = asyncio.get_running_loop()
        mailbox = self._mailbox
        if mailbox is None or mailbox.loop is not loop:
            mailbox = self._mailbox = LoopMailbox(loop)
        return mailbox


def _pass_on(mailbox: LoopMailbox, waiter: "asyncio.Future[Any]", answer: "Future[Any]") -> None:
    mailbox.deliver([(waiter, answer.exception() or answer.result())])


def _settle(answers: Sequence[tuple[Any, Any]]) -> None:
    for waiter, answer in answers:
        if waiter.done():
            continue
        if isinstance(answer, BaseException):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)
