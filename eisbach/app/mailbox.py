"""Where the answers of a batch go: to whoever asked, all at once."""

from collections.abc import Sequence
from typing import Any, Protocol

from eisbach.app.commands import Answer


class Mailbox(Protocol):
    """Where the answers of a batch go, all at once (an event loop is woken once, not once for each request)."""

    def deliver(self, answers: Sequence[tuple[Any, Answer | BaseException]]) -> None:
        """Take (ticket, answer) pairs; an exception stands for a bug, never for a refusal."""


class FutureMailbox:
    """Resolves concurrent futures."""

    def deliver(self, answers: Sequence[tuple[Any, Answer | BaseException]]) -> None:
        """Set results and exceptions; a future that was cancelled is left alone."""
        for future, answer in answers:
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)


class NoMailbox:
    """Drops the answers: an engine that reports waits for none."""

    def deliver(self, answers: Sequence[tuple[Any, Answer | BaseException]]) -> None:
        """Do nothing."""


NOBODY = NoMailbox()
FUTURES = FutureMailbox()
