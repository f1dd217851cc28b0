"""Attempts on a lost node end at once: their gangs hold nothing any more, and their jobs are first in line elsewhere."""

from eisbach.app.commands import Context, Decision
from eisbach.app.record_observation import end_of
from eisbach.app.state import FactoryState
from eisbach.ports.engine import Ending, Observation


def end_stranded(state: FactoryState, context: Context) -> Decision | None:
    """Return the next step towards the end of an attempt that holds a share of a lost node; None without one.

    It follows from the state alone, so whatever was interrupted goes on with the next batch.
    """
    if not state.health.stranded:
        return None
    attempt, node = next(iter(sorted(state.health.stranded.items())))
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
