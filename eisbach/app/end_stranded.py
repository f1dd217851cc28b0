"""Attempts on a lost node end at once: their gangs hold nothing any more, and their jobs are first in line elsewhere."""

from eisbach.app.commands import Context, Decision
from eisbach.app.record_observation import end_of
from eisbach.app.state import FactoryState
from eisbach.core.capacity.health import Health
from eisbach.ports.engine import Ending, Observation


def end_stranded(state: FactoryState, context: Context) -> Decision | None:
    """Return the next step towards the end of an attempt that holds a share of a lost node; None without one.

    It follows from the state alone, so whatever was interrupted goes on with the next batch. It costs nothing while none is
    lost, and one walk over what runs for all nodes that are lost at once.
    """
    scheduler, agenda = state.scheduler, state.scheduler.agenda
    if agenda.has_lost_nodes:
        agenda.has_lost_nodes, agenda.stranded = False, _stranded(state)
    while agenda.stranded and agenda.stranded[-1][0] not in scheduler.holding:
        agenda.stranded.pop()
    if not agenda.stranded:
        return None
    attempt, node = agenda.stranded[-1]
    job = state.scheduler.holding[attempt]
    seen = Observation(
        attempt_id=attempt,
        running_since_ms=job.running_ms,
        held_ms=max(0, context.now - job.running_ms) if job.running_ms is not None else 0,
        ending=Ending.NODE_LOST,
        ended_at_ms=context.now,
        node=node,
        detail=f"node {node} is lost",
    )
    return end_of(state, context, job, seen)


def _stranded(state: FactoryState) -> list[tuple[str, str]]:
    lost = {name for name, mark in state.health.marks.items() if mark.health is Health.LOST}
    if not lost:
        return []
    held = ((attempt, share.node) for attempt, job in state.scheduler.holding.items() for share in job.shares)
    return sorted({attempt: node for attempt, node in held if node in lost}.items(), reverse=True)
