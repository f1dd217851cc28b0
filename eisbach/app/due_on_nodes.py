"""What happens on nodes by itself: they are commissioned, closures begin and end, and who would overrun a closure leaves."""

from eisbach.app.commands import SYSTEM, Context
from eisbach.app.events import Body, JobStopping, NodeDrained
from eisbach.app.events_health import ClosureBegun, ClosureEnded, NodesCommissioned
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.health import Closure, ClosureEnd, ClosureKind
from eisbach.core.jobs.lifecycle import StopCause


def due_on_nodes(state: FactoryState, context: Context) -> list[Body]:
    """Return the events of what is due by now; once they are true, asking again may bring more (an hour that was slept through).

    It costs nothing while nothing is due. It follows from the state alone, so whatever was interrupted goes on.
    """
    agenda, now = state.scheduler.agenda, context.now
    if not agenda.is_due(now):
        return []
    attempts = agenda.take_due(now)
    agenda.are_bookings_shaken = True  # perhaps one begins that waited for its nodes to come back
    events: list[Body] = []
    commissioned = tuple(name for name, from_ms in state.health.coming.items() if from_ms <= now)
    if commissioned:
        events.append(NodesCommissioned(nodes=commissioned))
    for closure in state.health.closures.values():
        if closure.has_begun:
            if closure.until_ms <= now:
                events.append(ClosureEnded(closure=closure.closure, cause=ClosureEnd.OVER.value, by=SYSTEM.token))
        elif closure.from_ms <= now:
            events += _begin(state, context, closure)
            if closure.until_ms <= now:
                agenda.note(now)  # it was slept through: its end is due as soon as it has begun
    for attempt in attempts:
        job = state.scheduler.holding.get(attempt)
        if job is not None:
            events += _leave(state, job, now)
    return events


def _begin(state: FactoryState, context: Context, closure: Closure) -> list[Body]:
    if closure.kind is ClosureKind.MAINTENANCE:
        return [ClosureBegun(closure=closure.closure)]
    nodes, cordoned = state.scheduler.fleet.nodes, state.health.cordoned
    drained: list[Body] = [
        NodeDrained(node=name, drained=True, by=closure.by, mark=context.ids.new("mark", context.now))
        for name in closure.nodes
        if not nodes[name].removed and (not nodes[name].drained or name in cordoned)
    ]
    return [*drained, ClosureEnded(closure=closure.closure, cause=ClosureEnd.DRAINED.value, by=SYSTEM.token)]


def _leave(state: FactoryState, job: ActiveJob, now: int) -> list[Body]:
    """Ask an attempt to save and go if it would hold a node that closes; what ends by then stays."""
    agenda, closes_ms = state.scheduler.agenda, state.scheduler.agenda.closes_ms(job.shares)
    if closes_ms is None or job.is_asked(now):
        return []
    if closes_ms - job.grace_ms > now:
        agenda.hold(str(job.attempt), job.shares, job.grace_ms)  # an earlier closure was cancelled
        return []
    if job.running_ms is not None and job.releases_ms() <= closes_ms:
        return []
    grace_ms = min(job.grace_ms, closes_ms - now) if closes_ms > now else job.grace_ms  # late: then it shall at least save
    return [
        JobStopping(
            job=job.job, attempt=str(job.attempt), cause=StopCause.DRAIN.value, grace_ms=grace_ms, by=SYSTEM.token
        )
    ]
