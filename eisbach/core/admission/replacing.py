"""Other nodes for a promise that names some which it cannot have: equal ones, as near, free at its time. Its times never change."""

from collections.abc import Iterable, Iterator

from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.calendar import Entry
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.topology import domain_of
from eisbach.core.jobs.request import CapacityClass


def replaced(state: SchedulerState, entry: Entry, bad: Iterable[str]) -> tuple[str, ...] | None:
    """Return all nodes of a promise with others in the place of the bad ones, or None where there are not enough.

    They are of the same pool, in the domain that the job requires, take work now, and are spoken for by nobody and idle
    from the promised start on. In the domain of the ones that stay those come first that are there.
    """
    job, nodes = state.jobs[entry.id], state.fleet.nodes
    gone = frozenset(bad)
    stays = [nodes[name] for name in entry.nodes if name not in gone]
    pool = nodes[entry.nodes[0]].pool
    busy = _busy_at(state, entry.from_ms)
    missing = len(entry.nodes) - len(stays)
    found: list[Node] = []
    for node in _in_order(state, job, stays, pool):
        if len(found) == missing:
            break
        is_named = node.node in entry.nodes
        if not is_named and node.node not in busy and state.calendar.is_free([node.node], entry.from_ms, entry.until_ms):
            found.append(node)
    if len(found) < missing:
        return None
    chosen = [*stays, *found]
    within = job.within
    if within is not None and within.is_required and len({domain_of(node, within.level) for node in chosen}) > 1:
        return None
    return tuple(node.node for node in chosen)


def _in_order(state: SchedulerState, job: ActiveJob, stays: list[Node], pool: str) -> Iterator[Node]:
    """Yield nodes that could do, those beside the ones that stay first."""
    fitting = [node for node in state.fleet.nodes.values() if node.available and node.pool == pool and job.where.allows(node)]
    if job.within is None or not stays:
        yield from fitting
        return
    level = job.within.level
    beside = domain_of(stays[0], level)
    yield from (node for node in fitting if domain_of(node, level) == beside)
    yield from (node for node in fitting if domain_of(node, level) != beside)


def _busy_at(state: SchedulerState, instant: int) -> frozenset[str]:
    """Return the nodes on which something may still be then; spot leaves before."""
    staying = (
        job
        for job in state.holding.values()
        if job.capacity_class is not CapacityClass.SPOT and job.releases_ms() > instant
    )
    return frozenset(share.node for job in staying for share in job.shares)
