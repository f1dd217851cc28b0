"""The round that tries again to move bookings off nodes that cannot be used (app/due_moves.py): others may have become free."""

from typing import TYPE_CHECKING

from eisbach.app import due_moves
from eisbach.app.commands import Context, Decision
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


def move_bookings(application: "Application") -> int:
    """Move or reduce every booking with nodes that cannot be used; return how many steps that took."""
    steps = 0
    while application.ask(lambda state, now: bool(due_moves.next_moves(state, now))).result():
        answer = application.perform(_decide).result()
        if isinstance(answer, Refusal) or not answer["steps"]:
            break
        steps += int(answer["steps"])
    return steps


def _decide(state: FactoryState, context: Context) -> Decision | Refusal:
    events = due_moves.next_moves(state, context.now)
    return Decision(events=tuple(events), reply={"steps": len(events)})
