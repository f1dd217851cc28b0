"""A node is drained or taken back into use; what runs on it moves: it is stopped with grace and retried at our cost."""

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import JobStopping, NodeDrained
from eisbach.app.site_facts import BY_SITE_FILE
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, node: str, drained: bool, stop_work: bool = False) -> Command:
    """Return the command that drains a node or takes it back.

    What runs there ends by itself unless `stop_work` asks it to save and go.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = state.scheduler.fleet.nodes.get(node)
        if known is None or known.removed:
            return Refusal(Reason.NOT_FOUND, f"There is no node {node!r}", "Look at `eisbach node list`")
        running = [job for job in state.scheduler.holding.values() if any(s.node == node for s in job.shares)]
        reply = {"node": node, "drained": drained, "attempts_on_it": len(running)}
        events: list[NodeDrained | JobStopping] = []
        if known.drained != drained or (drained and known.drained_by == BY_SITE_FILE):
            events.append(NodeDrained(node=node, drained=drained, by=actor.token))
        if drained and stop_work:
            events += [
                JobStopping(
                    job=job.job,
                    attempt=str(job.attempt),
                    cause=StopCause.DRAIN.value,
                    grace_ms=job.grace_ms,
                    by=actor.token,
                )
                for job in running
                if job.state is not JobState.STOPPING
            ]
        return Decision(events=tuple(events), reply=reply)

    return decide
