"""What the end of an attempt says about its nodes: one that is gone is lost, one that fails in a row is suspect."""

from typing import Final

from eisbach.app.commands import SYSTEM, Context
from eisbach.app.events import Body
from eisbach.app.events_health import NodeMarked
from eisbach.app.fold_health import NODE_FAILED_BY
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.health import Health, HealthCause, failed_node, is_put_aside
from eisbach.ports.engine import Ending, Observation

TELLING: Final = NODE_FAILED_BY | {Ending.NODE_LOST}
"""How an attempt ends when that says something about its nodes."""


def after_end(state: FactoryState, context: Context, job: ActiveJob, seen: Observation) -> tuple[Body, ...]:
    """Return what an end that is TELLING says about an attempt's nodes; the job still holds their shares."""
    if seen.ending is Ending.NODE_LOST:
        return lost_node(state, context, seen.node)
    name = failed_node(job.shares, seen.rank)
    if name is None or name in state.health.marks:
        return ()
    fleet, failures = state.scheduler.fleet, state.health.failures.get(name, 0) + 1
    pool = fleet.nodes[name].pool
    equal = [node for node in fleet.nodes.values() if node.pool == pool and not node.removed]
    others = sum(node.available for node in equal if node.node != name)
    if not is_put_aside(failures, others, len(equal)):
        return ()
    return (_mark(context, name, Health.SUSPECT, HealthCause.FAILURES),)


def lost_node(state: FactoryState, context: Context, name: str) -> tuple[Body, ...]:
    """Return the event that a node is lost as an engine says; none where that is known, or the node is not."""
    known, mark = state.scheduler.fleet.nodes.get(name), state.health.marks.get(name)
    if known is None or known.removed or (mark is not None and mark.health is Health.LOST):
        return ()
    return (_mark(context, name, Health.LOST, HealthCause.ENGINE),)


def _mark(context: Context, name: str, health: Health, cause: HealthCause) -> NodeMarked:
    mark = context.ids.new("mark", context.now)
    return NodeMarked(node=name, health=health.value, cause=cause.value, by=SYSTEM.token, mark=mark)
