"""One node is drained or taken back into use; app/tend_nodes.py does it for many."""

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.state import FactoryState
from eisbach.app.tend_nodes import Act, attempts_on_any
from eisbach.app.tend_nodes import command as tend
from eisbach.core.capacity.targets import Targets
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, node: str, drained: bool, stop_work: bool = False) -> Command:
    """Return the command that drains a node or takes it back.

    What runs there ends by itself unless `stop_work` asks it to save and go.
    """
    act = (Act.DRAIN if stop_work else Act.CORDON) if drained else Act.RESUME
    many = tend(actor, act=act, targets=Targets(names=(node,)))

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if node not in state.scheduler.fleet.nodes:
            return Refusal(Reason.NOT_FOUND, f"There is no node {node!r}", "Look at `eisbach node list`")
        decision = many(state, context)
        if isinstance(decision, Refusal):
            return decision
        reply = {"node": node, "drained": drained, "attempts_on_it": len(attempts_on_any(state, (node,)))}
        return Decision(events=decision.events, texts=decision.texts, reply=reply)

    return decide
