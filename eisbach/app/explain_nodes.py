"""Why too few nodes take a job now: how many are drained, lost, under suspicion, in maintenance or not there yet."""

from collections import Counter

from eisbach.app import why_texts
from eisbach.app.map_halls import Condition, condition_of
from eisbach.app.state import FactoryState
from eisbach.app.why_texts import Said, Values
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.health import NEVER_MS
from eisbach.core.capacity.inventory import Node, is_flavour

_DRAINED = (Condition.DRAINED, Condition.DRAINING, Condition.CORDONED)


def nodes_out(state: FactoryState, job: ActiveJob, needs: Values) -> Said:
    """Return in numbers why the nodes that could take a job do not, and when the first comes back where that is known."""
    flavours = [shape.flavour for shape in job.shapes]
    could = [
        node
        for node in state.scheduler.fleet.nodes.values()
        if not node.removed and job.where.allows(node) and any(one is None or is_flavour(node.flavour, one) for one in flavours)
    ]
    out = [node for node in could if not node.available]
    if not out:
        return Said(why_texts.GONE, needs)
    how = Counter(condition_of(state.health, node) for node in out)
    counts = {
        "nodes": len(could),
        "out": len(out),
        "drained": sum(how[one] for one in _DRAINED),
        "lost": how[Condition.LOST],
        "suspect": how[Condition.SUSPECT],
        "maintained": how[Condition.MAINTENANCE],
        "planned": how[Condition.PLANNED],
    }
    back_ms = _first_back(state, out)
    if back_ms is None:
        return Said(why_texts.NODES_OUT, {**needs, **counts})
    return Said(why_texts.NODES_OUT_UNTIL, {**needs, **counts, "back_at": back_ms})


def _first_back(state: FactoryState, nodes: list[Node]) -> int | None:
    """Return when the first of these nodes takes work again by itself, or None."""
    health = state.health
    ends = [health.closures[health.closed[node.node]].until_ms for node in nodes if node.node in health.closed]
    days = [health.coming[node.node] for node in nodes if node.node in health.coming]
    known = [at_ms for at_ms in (*ends, *days) if at_ms != NEVER_MS]
    return min(known, default=None)
