"""When a job would start: asked by somebody, decided by the same cycle, and nothing is changed by it."""

from dataclasses import dataclass

from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.calendar import EntryKind
from eisbach.core.scheduling.backfill import Gang, earliest_ms


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a job that is not submitted yet could expect now.

    It starts at once, or would be promised a start, or there is an estimate; nothing where nobody can say.
    """

    starts_at_once: bool = False
    promised_ms: int | None = None
    estimated_ms: int | None = None


def outlook(state: SchedulerState, job: ActiveJob, now: int) -> Outlook:
    """Return what the next cycle would decide about a job if it were submitted; the state is left as it was."""
    state.add(job)
    try:
        plan = decide(state, now)
        if any(start.job == job.job for start in plan.starts):
            return Outlook(starts_at_once=True)
        if job.booking:
            entry = state.calendar.get(EntryKind.BOOKING, job.booking)
            return Outlook(promised_ms=entry.from_ms if entry is not None and entry.from_ms > now else None)
        promised = next((given.from_ms for given in plan.given if given.job == job.job), None)
        return Outlook(promised_ms=promised, estimated_ms=estimate(state, job, now) if promised is None else None)
    finally:
        state.forget(job)


def estimate(state: SchedulerState, job: ActiveJob, now: int) -> int | None:
    """Return when a waiting job would start if everything that holds capacity ran as long as is predicted and nobody else waited.

    What has outrun its prediction counts with its limit. It is a guess: a promise is dated by limits.
    """
    gang = Gang(job.shapes, job.nodes, job.length_ms, job.where, job.within)
    releases = ((at_ms, held.shares) for at_ms, held in state.releases.expected(now))
    return earliest_ms(state.fleet, state.calendar.without(), releases, gang, now)


def best_domain(state: SchedulerState, job: ActiveJob, now: int) -> tuple[int, int | None]:
    """Return how many tasks of a gang the best domain of its level holds now, and until when at least all of them.

    None where nothing in the calendar takes any of that away while the gang would run.
    """
    if job.within is None:
        return 0, None
    level = job.within.level

    def room(ends_by: int) -> int:
        return max(state.fleet.best_room(shape, job.where, level=level, ends_by=ends_by)[1] for shape in job.shapes)

    free = room(0)
    starts = [at_ms for at_ms in state.calendar.starts(now, now + job.length_ms) if room(at_ms + 1) < free]
    return free, starts[0] if starts else None
