"""Folding events about the health of nodes, maintenance and drains into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded
from eisbach.app.events_health import NodeMarked
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.health import Health, HealthCause, HealthMark, failed_node
from eisbach.core.jobs.lifecycle import Fault
from eisbach.ports.engine import Ending

NODE_FAILED_BY = frozenset({Ending.LOST, Ending.DISK_FULL})
"""How an attempt ends when that speaks against its node."""
_NODE_WORKED = frozenset({Fault.NONE.value, Fault.CUSTOMER.value})
_NODE_FAILED_BY = frozenset(ending.value for ending in NODE_FAILED_BY)


def renew_available(state: FactoryState, name: str, *, is_removed: bool | None = None) -> None:
    """Say to the fleet whether a node takes work, after any of the reasons why it might not has changed."""
    node = state.scheduler.fleet.nodes[name]
    gone = node.removed if is_removed is None else is_removed
    is_available = not node.drained and not gone and name not in state.health.marks
    state.scheduler.fleet.set_available(name, is_available, is_removed=gone)


def note_drain(state: FactoryState, name: str, *, is_cordon: bool, is_removed: bool = False) -> None:
    """A node was drained, cordoned, removed or taken back into use; that it is drained, the fleet's node says already."""
    if is_cordon:
        state.health.cordoned.add(name)
    else:
        state.health.cordoned.discard(name)
    renew_available(state, name, is_removed=is_removed)


def note_end(state: FactoryState, job: ActiveJob, body: AttemptEnded) -> None:
    """An attempt has ended, its job still holds the shares: count what its nodes failed in a row."""
    health = state.health
    if health.stranded:
        health.stranded.pop(body.attempt, None)
    if body.ending in _NODE_FAILED_BY:
        node = failed_node(job.shares, body.rank)
        if node is not None:
            health.failures[node] = health.failures.get(node, 0) + 1
    elif health.failures and body.fault in _NODE_WORKED:
        for share in job.shares:
            health.failures.pop(share.node, None)


def _marked(state: FactoryState, seq: int, at_ms: int, body: NodeMarked) -> None:
    health, said = state.health, Health(body.health)
    if said is Health.HEALTHY:
        health.marks.pop(body.node, None)
        health.failures.pop(body.node, None)
    else:
        health.marks[body.node] = HealthMark(health=said, cause=HealthCause(body.cause), since_ms=at_ms, by=body.by)
    if said is Health.LOST:
        for attempt, job in state.scheduler.holding.items():
            if any(share.node == body.node for share in job.shares):
                health.stranded.setdefault(attempt, body.node)
    renew_available(state, body.node)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {NodeMarked: _marked}
