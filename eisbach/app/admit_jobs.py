"""From a plan to events: fund jobs in queue order, run the admission cycle, plan attempts."""

from eisbach.app import money
from eisbach.app.commands import SYSTEM, Context
from eisbach.app.events import AttemptPlanned, Body, JobEnded, JobFunded, JobStopping
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.app.places import compiled_for
from eisbach.app.state import FactoryState
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.plan import NOTHING, Plan, Stop
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import Outcome
from eisbach.core.jobs.placement import NO_RULE
from eisbach.core.scheduling.promise import Given
from eisbach.core.vocabulary.reasons import Reason


def fund_next(state: FactoryState, context: Context) -> list[Body]:
    """Return the events that fund the first waiting job of each project that its budget allows now.

    A job for which the whole month's budget is too small (it was lowered) ends.
    """
    events: list[Body] = []
    for project, waiting in sorted(state.scheduler.unfunded.items()):  # they came in another order than after a restart
        opened = money.open_period(state, project, context.now)
        if opened is not None:
            events.append(opened)
            continue
        known, (_, job) = state.projects[project], waiting[0]
        wanted = money.still_possible(state.accounts[job])
        if wanted > known.budget:
            events.append(
                JobEnded(job=job, outcome=Outcome.OUT_OF_BUDGET.value, reason=Reason.OVER_BUDGET.value, by="system")
            )
        elif (transfers := money.reserve(state, known, wanted)) is not None:
            events.append(JobFunded(job=job, period=known.period, transfers=transfers))
    return events


def plan_attempts(state: FactoryState, context: Context) -> tuple[list[Body], Plan]:
    """Return the events of one admission cycle, in the order in which its plan is carried out, and the plan."""
    if state.scheduler.is_quiet(context.now):
        return [], NOTHING
    now, scheduler = context.now, state.scheduler
    plan = decide(scheduler, now)
    events: list[Body] = []
    for broken in plan.broken:
        events.append(StartUnpromised(job=broken.job, from_ms=broken.from_ms, cause=broken.cause.value))
    for name, shape, shares in plan.starts:
        job, first = scheduler.jobs[name], shares[0]
        site = state.sites[scheduler.fleet.nodes[first.node].site]
        tasks = tuple([share[:5] for share in shares])  # rank, node, cpu_milli, memory_mib, gpus
        slots = tuple([share.slot for share in shares]) if first.mig else ()
        # All fields in their order: Python looks for the place of each that is named.
        event = AttemptPlanned(
            context.ids.new("att", now), name, job.attempts + 1, shape, tasks, job.remaining_ms, context.epoch,
            site.site, site.is_simulated, state.policy.version, _rules(state, job), slots, money.free_ms(state, name, now),
        )  # fmt: skip
        events.append(event)
    for given in plan.given:
        events.append(_promised(given))
    for stop in plan.stops:
        events.append(_stopping(scheduler.jobs[stop.job], stop))
    return events, plan


def _promised(given: Given) -> StartPromised:
    return StartPromised(
        job=given.job,
        from_ms=given.from_ms,
        until_ms=given.until_ms,
        nodes=given.nodes,
        is_shared=given.is_shared,
        earlier_than_ms=given.earlier_than_ms,
    )


def _stopping(job: ActiveJob, stop: Stop) -> JobStopping:
    return JobStopping(
        job=job.job,
        attempt=str(job.attempt),
        cause=stop.cause.value,
        grace_ms=job.grace_ms,
        by=SYSTEM.token,
        notice_ms=stop.notice_ms,
    )


def _rules(state: FactoryState, job: ActiveJob) -> tuple[int, ...]:
    """Return where the rules stand in the log that hold for a job; its own stands in its submission."""
    data = state.data.used_by
    if not state.policy.rules and not data and job.placement is NO_RULE:
        return ()  # nobody has set any
    rules = compiled_for(state, job.project, job.placement, data.get(job.job, ())).rules
    return tuple([scoped.position if scoped.position >= 0 else job.seq for scoped in rules]) if rules else ()
