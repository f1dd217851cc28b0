"""A round that asks the engine which nodes are gone, for whatever it saw while nobody listened."""

from typing import TYPE_CHECKING

from eisbach.app.commands import Command, Context, Decision
from eisbach.app.notice_nodes import lost_node
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.engine import CanWatchNodes

if TYPE_CHECKING:
    from eisbach.app.application import Application


def watch_nodes(application: "Application") -> int:
    """Mark the nodes lost that an engine says are gone; return how many. Idempotent, a round."""
    engine = application.engine
    gone = [one.node for one in engine.gone_nodes()] if isinstance(engine, CanWatchNodes) else []
    if not gone:
        return 0
    answer = application.perform(_gone(gone)).result()
    return 0 if isinstance(answer, Refusal) else int(answer["lost"])


def _gone(nodes: list[str]) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        events = [body for node in nodes for body in lost_node(state, context, node)]
        return Decision(events=tuple(events), reply={"lost": len(events)})

    return decide
