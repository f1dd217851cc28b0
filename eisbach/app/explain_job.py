"""Why a job is where it is and when it goes on, with numbers computed when asked."""

from collections.abc import Callable
from typing import Any

from eisbach.app import money, why_texts
from eisbach.app.check_place import told
from eisbach.app.explain_power import what_power_lacks
from eisbach.app.places import compiled_for
from eisbach.app.state import FactoryState
from eisbach.app.why_texts import Capacity, Said, capacity_of
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.policy.compile import Compiled
from eisbach.core.scheduling.backfill import find_shadow
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
            said = Said(why_texts.RETRY, {"attempt": known.attempts, "pause_ms": _seconds(known.not_before_ms - now)})
            return answer | _said(Reason.RETRY_DELAY.value, said) | {"start_estimated_ms": known.not_before_ms}
        return answer | _no_room(state, known, now)

    return ask


def _under_way(job: ActiveJob, now: int) -> Answer:
    if job.state is JobState.STARTING:
        return _said(Reason.STARTING.value, Said(why_texts.STARTING, {"attempt": job.attempts, "nodes": _places(job)}))
    if job.state is JobState.STOPPING and job.stop_cause is not None:
        values = {"attempt": job.attempts, "cause": job.stop_cause.value, "grace_ms": job.stop_grace_ms}
        return _said(job.stop_cause.reason.value, Said(why_texts.STOPPING, values))
    held_ms = now - (job.running_ms or now)
    times = {"held_ms": _seconds(held_ms), "left_ms": _seconds(max(0, job.remaining_ms - held_ms))}
    return _said("", Said(why_texts.RUNNING, {"attempt": job.attempts, "nodes": _places(job), **times}))


def _said(reason: str, said: Said) -> Answer:
    return {"reason": reason, "text": str(said), "said": said}


def _seconds(milliseconds: int) -> int:
    """Return milliseconds rounded to whole seconds."""
    return round(milliseconds / 1000) * 1000


def _places(job: ActiveJob) -> str:
    return ", ".join(sorted({share.node for share in job.shares}))


def _unfunded(state: FactoryState, job: ActiveJob) -> Answer:
    account = state.accounts[job.job]
    free = money.available(state, job.project)
    before = state.scheduler.unfunded[job.project].index((job.key, job.job))
    values = {
        "wanted_micro_eur": money.still_possible(account),
        "left_micro_eur": free,
        "budget_micro_eur": state.projects[job.project].budget,
        "before": before,
    }
    pattern = why_texts.UNFUNDED_BEHIND if before else why_texts.UNFUNDED
    return _said(Reason.BUDGET_RESERVED.value, Said(pattern, values))


def _no_room(state: FactoryState, job: ActiveJob, now: int) -> Answer:
    scheduler = state.scheduler
    plan = decide(scheduler, now)  # first: it takes jobs whose delay is over into the queue
    each = capacity_of(job.shapes[0])
    needs = {"count": job.nodes, "each": each}
    ahead = scheduler.queue.ahead_of(job.job)
    if any(start.job == job.job for start in plan.starts):
        return _said(Reason.STARTING.value, Said(why_texts.NEXT_CYCLE, needs)) | {"start_estimated_ms": now}
    fitting = any(scheduler.fleet.place(one, job.nodes, job.where) is not None for one in job.shapes)
    if not any(scheduler.fleet.could_without_drained(one, job.nodes, job.where) for one in job.shapes):
        if (ruled_out := _ruled_out(state, job)) is not None:
            said = Said(why_texts.RULED_OUT, {**needs, "left": len(ruled_out.sites or ()), "sites": len(state.sites)})
            why = ". ".join(told(state, (one for found in ruled_out.forbidden.values() for one in found)))
            return _said(Reason.PLACEMENT_FORBIDDEN.value, said) | {"text": f"{said}. {why}"}
        is_there = any(scheduler.fleet.could_ever(one, job.nodes) for one in job.shapes)
        return _said(Reason.NODES_UNAVAILABLE.value, Said(why_texts.DRAINED if is_there else why_texts.GONE, needs))
    if (lacking := what_power_lacks(state, job, plan)) is not None:
        return _said(Reason.POWER_CAP.value, lacking)
    releases = [(one.releases_ms, one.shares) for one in scheduler.holding.values()]
    shadow = find_shadow(scheduler.fleet, job.shapes, job.nodes, releases, now, job.where)
    estimate = shadow.at_ms if shadow is not None else None
    if fitting and plan.head is not None and plan.head != job.job:
        # whose job it is, is nobody's business but its project's
        is_own = scheduler.jobs[plan.head].project == job.project
        said = Said(why_texts.BEHIND_ONE if is_own else why_texts.BEHIND_FIRST, {"head": plan.head, "ahead": ahead})
        return _said(Reason.BEHIND_PROMISE.value, said) | {"start_estimated_ms": estimate}
    said = Said(why_texts.BUSY, {**needs, "free": _free(state, job), "ahead": ahead})
    return _said(Reason.CAPACITY_BUSY.value, said) | {"start_estimated_ms": estimate}


def _free(state: FactoryState, job: ActiveJob) -> Capacity:
    nodes = {node.node: node for one in job.shapes for node in state.scheduler.fleet.usable(one, job.where)}.values()
    return Capacity(
        cpu_milli=sum(node.free_cpu_milli for node in nodes),
        memory_mib=sum(node.free_memory_mib for node in nodes),
        gpus=sum(len(node.free_gpus) for node in nodes),
    )


def _ruled_out(state: FactoryState, job: ActiveJob) -> Compiled | None:
    """Return what rules leave to a job where nodes that would do exist at forbidden sites alone, else None."""
    fleet = state.scheduler.fleet
    if any(fleet.could_ever(one, job.nodes, job.where) for one in job.shapes):
        return None
    compiled = compiled_for(state, job.project, job.placement, state.data.used_by.get(job.job, ()))
    is_elsewhere = any(fleet.could_ever(one, job.nodes) for one in job.shapes)
    return compiled if compiled.sites is not None and is_elsewhere else None
