"""Answers kept under idempotency keys are forgotten once nobody will repeat the request any more."""

from eisbach.app.application import Application
from eisbach.app.commands import Context, Decision
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Refusal


def forget_replies(application: Application, kept_ms: int) -> None:
    """Delete the answers that are older than `kept_ms`; a later repetition is a new request."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        return Decision(replies_kept_from_ms=context.now - kept_ms)

    application.perform(decide).result()
