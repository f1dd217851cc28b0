"""A refusal that stands in the log says where."""

from eisbach.app import issue_token
from eisbach.app.commands import SYSTEM, Decision
from eisbach.app.events import TokenRevoked
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.invariants import events_of


def test_a_logged_refusal_carries_its_position(factory):
    refusal = Refusal(Reason.FORBIDDEN, "No", "Ask somebody else", values={"asked": "something"})

    def decide(state, context):
        token = next(iter(state.tokens), None)
        events = (TokenRevoked(token=token, by=SYSTEM.token),) if token else ()
        return Decision(events=events, refusal=refusal)

    factory.perform(issue_token.command(SYSTEM, role="auditor", label="reader"))
    answer = factory.app.perform(decide)
    factory.app.applier.drain()
    said = answer.result()
    assert isinstance(said, Refusal)
    assert said.reason is Reason.FORBIDDEN
    assert said.values["asked"] == "something"
    assert events_of(factory)[said.values["log_position"]].kind == "token.revoked"
