"""Folding events about the health of nodes, maintenance and drains into the state."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app import fold_promises
from eisbach.app.event_body import Body
from eisbach.app.events import AttemptEnded
from eisbach.app.events_health import ClosureAnnounced, ClosureBegun, ClosureEnded, NodeMarked, NodesCommissioned
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.capacity.health import NEVER_MS, Closure, ClosureKind, Health, HealthCause, HealthMark, failed_node
from eisbach.core.jobs.lifecycle import Fault
from eisbach.ports.engine import Ending

NODE_FAILED_BY: Final = frozenset({Ending.LOST, Ending.DISK_FULL})
"""How an attempt ends when that speaks against its node."""
_NODE_WORKED: Final = frozenset({Fault.NONE.value, Fault.CUSTOMER.value})
_NODE_FAILED_BY: Final = frozenset(ending.value for ending in NODE_FAILED_BY)


def renew_available(state: FactoryState, name: str, *, is_removed: bool | None = None) -> None:
    """Say to the fleet whether a node takes work, after any of the reasons why it might not has changed."""
    node = state.scheduler.fleet.nodes[name]
    gone = node.removed if is_removed is None else is_removed
    health = state.health
    is_closed = name in health.marks or name in health.closed or name in health.coming
    is_available = not node.drained and not gone and not is_closed
    state.scheduler.fleet.set_available(name, is_available, is_removed=gone)
    state.scheduler.note_nodes()
    if not is_available:
        state.scheduler.agenda.shake()


def note_drain(state: FactoryState, name: str, *, is_cordon: bool, is_removed: bool = False) -> None:
    """A node was drained, cordoned, removed or taken back into use; that it is drained, the fleet's node says already."""
    if is_cordon:
        state.health.cordoned[name] = None
    else:
        state.health.cordoned.pop(name, None)
    renew_available(state, name, is_removed=is_removed)


def note_end(state: FactoryState, job: ActiveJob, body: AttemptEnded) -> None:
    """An attempt has ended, its job still holds the shares: count what its nodes failed in a row."""
    health, agenda = state.health, state.scheduler.agenda
    if job.booking and agenda.has_closing(job.shares, state.scheduler.fleet.nodes):
        agenda.are_bookings_shaken = True
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
        state.scheduler.agenda.has_lost_nodes = True
    renew_available(state, body.node)


def note_commissioning(state: FactoryState, name: str, at_ms: int, from_ms: int) -> None:
    """A node was declared that is there from a day on; before, it takes nothing."""
    if from_ms > at_ms:
        state.health.coming[name] = from_ms
        state.scheduler.agenda.note(from_ms)
        state.scheduler.agenda.shake()
    else:
        state.health.coming.pop(name, None)
    renew_available(state, name)


def gpus_there(state: FactoryState, name: str) -> int:
    """Return the GPUs of a node that is there: commissioned by now and not removed."""
    node = state.scheduler.fleet.nodes[name]
    return 0 if node.removed or name in state.health.coming else node.gpus


def restore_agenda(state: FactoryState) -> None:
    """Say to the scheduler what the state knows of closures and nodes to come, before jobs are added."""
    for from_ms in state.health.coming.values():
        state.scheduler.agenda.note(from_ms)
    for closure in state.health.closures.values():
        _enter(state, closure)


def _commissioned(state: FactoryState, seq: int, at_ms: int, body: NodesCommissioned) -> None:
    nodes = state.scheduler.fleet.nodes
    for name in body.nodes:
        state.health.coming.pop(name)
        renew_available(state, name)
        fold_promises.commission(state, nodes[name].site, gpus_there(state, name), at_ms)


def _announced(state: FactoryState, seq: int, at_ms: int, body: ClosureAnnounced) -> None:
    closure = Closure(
        closure=body.closure,
        kind=ClosureKind(body.kind),
        targets=body.targets,
        nodes=tuple(body.nodes),
        from_ms=body.from_ms,
        until_ms=body.until_ms,
        by=body.by,
    )
    state.health.closures[closure.closure] = closure
    _enter(state, closure)
    for attempt, job in state.scheduler.holding.items():
        state.scheduler.agenda.hold(attempt, job.shares, job.grace_ms)


def _enter(state: FactoryState, closure: Closure) -> None:
    """Put a closure into the calendar and on the agenda."""
    entry = Entry(_ENTRY_KINDS[closure.kind], closure.closure, closure.from_ms, closure.until_ms, closure.nodes)
    state.scheduler.calendar.add(entry)
    if not closure.has_begun:
        state.scheduler.agenda.close(closure.nodes, closure.from_ms)
    if closure.until_ms != NEVER_MS:  # of a drain: a run until all is over would wait for it
        state.scheduler.agenda.note(closure.until_ms)


def _begun(state: FactoryState, seq: int, at_ms: int, body: ClosureBegun) -> None:
    closure = state.health.closures[body.closure]
    closure.has_begun = True
    state.scheduler.agenda.reopen(closure.nodes, closure.from_ms)
    for name in closure.nodes:
        state.health.closed[name] = closure.closure
        renew_available(state, name)


def _ended(state: FactoryState, seq: int, at_ms: int, body: ClosureEnded) -> None:
    closure = state.health.closures.pop(body.closure)
    state.scheduler.calendar.remove(_ENTRY_KINDS[closure.kind], closure.closure)
    if not closure.has_begun:
        state.scheduler.agenda.reopen(closure.nodes, closure.from_ms)
        return
    others = [(one.closure, frozenset(one.nodes)) for one in state.health.closures.values() if one.has_begun]
    for name in closure.nodes:
        following = next((other for other, nodes in others if name in nodes), None)  # one that begins as this one ends
        if following is not None:
            state.health.closed[name] = following
        else:
            state.health.closed.pop(name, None)
        renew_available(state, name)


_ENTRY_KINDS: Final = {ClosureKind.MAINTENANCE: EntryKind.MAINTENANCE, ClosureKind.DRAIN: EntryKind.DRAIN}
CHANGES: Final[dict[type[Body], Callable[[FactoryState, int, int, Any], None]]] = {
    NodeMarked: _marked,
    NodesCommissioned: _commissioned,
    ClosureAnnounced: _announced,
    ClosureBegun: _begun,
    ClosureEnded: _ended,
}
