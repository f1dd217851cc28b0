"""Why a job is where it is and when it goes on, with numbers computed when asked."""

from collections.abc import Callable
from typing import Any

from eisbach.app import money
from eisbach.app.check_place import finding_text
from eisbach.app.explain_power import power_text
from eisbach.app.places import compiled_for
from eisbach.app.state import FactoryState
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.scheduling.backfill import find_shadow
from eisbach.core.vocabulary.money import euro_text
from eisbach.core.vocabulary.reasons import Reason

Answer = dict[str, Any]


def question(*, job: str) -> Callable[[FactoryState, int], Answer | None]:
    """Return the question why a job is where it is; None for one that has ended or never was."""

    def ask(state: FactoryState, now: int) -> Answer | None:
        known = state.scheduler.jobs.get(job)
        if known is None:
            return None
        answer: Answer = {"job": job, "state": known.state.value, "start_estimated_ms": None, "start_promised_ms": None}
        if known.state is not JobState.WAITING:
            return answer | _under_way(known, now)
        if not known.is_funded:
            return answer | _unfunded(state, known)
        if known.not_before_ms > now:
            seconds = (known.not_before_ms - now) / 1000
            return answer | {
                "reason": Reason.RETRY_DELAY.value,
                "text": f"Attempt {known.attempts} failed; the next one starts in {seconds:.0f} s",
                "start_estimated_ms": known.not_before_ms,
            }
        return answer | _no_room(state, known, now)

    return ask


def _under_way(job: ActiveJob, now: int) -> Answer:
    if job.state is JobState.STARTING:
        return {"reason": Reason.STARTING.value, "text": f"Attempt {job.attempts} is starting on {_places(job)}"}
    if job.state is JobState.STOPPING and job.stop_cause is not None:
        text = f"Attempt {job.attempts} is being stopped ({job.stop_cause.value}); it has {job.stop_grace_ms / 1000:g} s to save"
        return {"reason": job.stop_cause.reason.value, "text": text}
    held = (now - (job.running_ms or now)) / 1000
    left = max(0.0, job.remaining_ms / 1000 - held)
    text = f"Attempt {job.attempts} has run for {held:.0f} s on {_places(job)}; its limit is reached in {left:.0f} s"
    return {"reason": "", "text": text}


def _places(job: ActiveJob) -> str:
    return ", ".join(sorted({share.node for share in job.shares}))


def _unfunded(state: FactoryState, job: ActiveJob) -> Answer:
    account = state.accounts[job.job]
    free = money.available(state, job.project)
    before = state.scheduler.unfunded[job.project].index((job.key, job.job))
    behind = f", {before} jobs of the project wait for money before it" if before else ""
    text = (
        f"Up to {euro_text(money.still_possible(account))} EUR must be reserved and the project has {euro_text(free)} EUR left "
        f"of {euro_text(state.projects[job.project].budget)} EUR this month{behind}. It is funded when running jobs "
        "settle for less than their ceilings, when the budget is raised, or next month"
    )
    return {"reason": Reason.BUDGET_RESERVED.value, "text": text}


def _no_room(state: FactoryState, job: ActiveJob, now: int) -> Answer:
    scheduler = state.scheduler
    plan = decide(scheduler, now)  # first: it takes jobs whose delay is over into the queue
    shape = job.shapes[0]
    ahead = scheduler.queue.ahead_of(job.job)
    each = f"{shape.cpu_milli / 1000:g} cores, {shape.memory_mib} MiB" + (f", {shape.gpus} GPUs" if shape.gpus else "")
    if any(start.job == job.job for start in plan.starts):
        text = f"It needs {job.nodes} x ({each}), which are free: it starts with the next cycle"
        return {"reason": Reason.STARTING.value, "text": text, "start_estimated_ms": now}
    fitting = any(scheduler.fleet.place(one, job.nodes, job.where) is not None for one in job.shapes)
    if not any(scheduler.fleet.could_without_drained(one, job.nodes, job.where) for one in job.shapes):
        if forbidden := _forbidden(state, job):
            return {"reason": Reason.PLACEMENT_FORBIDDEN.value, "text": f"It needs {job.nodes} x ({each}). {forbidden}"}
        is_there = any(scheduler.fleet.could_ever(one, job.nodes) for one in job.shapes)
        why = "of the nodes that could take it too many are drained" if is_there else "the site has no such nodes any more"
        return {"reason": Reason.NODES_UNAVAILABLE.value, "text": f"It needs {job.nodes} x ({each}), and {why}"}
    if lacking := power_text(state, job, plan):
        return {"reason": Reason.POWER_CAP.value, "text": lacking}
    releases = [(one.releases_ms, one.shares) for one in scheduler.holding.values()]
    shadow = find_shadow(scheduler.fleet, job.shapes, job.nodes, releases, now, job.where)
    estimate = shadow.at_ms if shadow is not None else None
    if fitting and plan.head is not None and plan.head != job.job:
        # whose job it is, is nobody's business but its project's
        head = plan.head if scheduler.jobs[plan.head].project == job.project else "the first job that has to wait"
        text = (
            f"It would fit now, but running up to its limit it would delay {head}, which stands before it "
            f"({ahead} jobs ahead)"
        )
        return {"reason": Reason.BEHIND_PROMISE.value, "text": text, "start_estimated_ms": estimate}
    free = _free_text(state, job)
    text = f"It needs {job.nodes} x ({each}); {free} free now; {ahead} jobs stand before it"
    return {"reason": Reason.CAPACITY_BUSY.value, "text": text, "start_estimated_ms": estimate}


def _free_text(state: FactoryState, job: ActiveJob) -> str:
    nodes = {node.node: node for one in job.shapes for node in state.scheduler.fleet.usable(one, job.where)}.values()
    cores = sum(node.free_cpu_milli for node in nodes) / 1000
    memory = sum(node.free_memory_mib for node in nodes)
    gpus = sum(len(node.free_gpus) for node in nodes)
    return f"{cores:g} cores, {memory} MiB and {gpus} GPUs are"


def _forbidden(state: FactoryState, job: ActiveJob) -> str:
    """Return how many sites rules forbid and why, where nodes that would do exist at these alone; empty elsewhere."""
    fleet = state.scheduler.fleet
    if any(fleet.could_ever(one, job.nodes, job.where) for one in job.shapes):
        return ""
    compiled = compiled_for(state, job.project, job.placement, state.data.used_by.get(job.job, ()))
    if compiled.sites is None or not any(fleet.could_ever(one, job.nodes) for one in job.shapes):
        return ""
    why = ". ".join(finding_text(one) for found in compiled.forbidden.values() for one in found)
    return (
        f"Rules leave {len(compiled.sites)} of {len(state.sites)} sites to it, and none of those has such nodes. {why}. "
        "It starts when a rule or a site changes"
    )
