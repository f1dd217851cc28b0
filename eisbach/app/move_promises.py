"""Promised starts leave nodes that they cannot have: to equal nodes where there are some, else they are broken, with the cause."""

from eisbach.app.bad_nodes import is_bad
from eisbach.app.events import Body
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.app.state import FactoryState
from eisbach.core.admission.replacing import replaced
from eisbach.core.capacity.calendar import Entry
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.scheduling.promise import BreakCause


def move_promises(state: FactoryState) -> list[Body]:
    """Return the event for the first promise that names nodes which it cannot have; once it is true, ask for the next one.

    It costs nothing while no node has become unusable since.
    """
    agenda = state.scheduler.agenda
    if not agenda.is_shaken:
        return []
    for entry in sorted(state.scheduler.calendar.promises.values(), key=lambda one: (one.from_ms, one.id)):
        bad = {name: cause for name in entry.nodes if (cause := _why_not(state, entry, name)) is not None}
        if bad and entry.id in state.scheduler.queue:
            return [_moved(state, entry, bad)]
    agenda.is_shaken = False
    return []


def _moved(state: FactoryState, entry: Entry, bad: dict[str, BreakCause]) -> Body:
    nodes = replaced(state.scheduler, entry, bad)
    if nodes is None or not all(_is_of_use(state, entry.id, name) for name in nodes):
        causes = frozenset(bad.values())
        cause = BreakCause.HARDWARE if BreakCause.HARDWARE in causes else BreakCause.OPERATOR
        return StartUnpromised(job=entry.id, from_ms=entry.from_ms, cause=cause.value)
    return StartPromised(
        job=entry.id, from_ms=entry.from_ms, until_ms=entry.until_ms, nodes=nodes, is_shared=entry.is_shared
    )


def _is_of_use(state: FactoryState, job: str, name: str) -> bool:
    """Return whether a node still is of a flavour that a job may have: a new site file may say otherwise."""
    flavour = state.scheduler.fleet.nodes[name].flavour
    return any(shape.flavour is None or is_flavour(flavour, shape.flavour) for shape in state.scheduler.jobs[job].shapes)


def _why_not(state: FactoryState, entry: Entry, name: str) -> BreakCause | None:
    """Return why a promise cannot have a node at its time, or None where it can."""
    if name in state.health.marks:
        return BreakCause.HARDWARE
    comes_ms = state.scheduler.fleet.nodes[name].from_ms
    if is_bad(state, name) or comes_ms > entry.from_ms or not _is_of_use(state, entry.id, name):
        return BreakCause.OPERATOR
    closing = (one for one in state.scheduler.calendar.meeting(name, entry.from_ms, entry.until_ms) if not one.kind.is_tenants)
    return BreakCause.OPERATOR if next(closing, None) is not None else None
