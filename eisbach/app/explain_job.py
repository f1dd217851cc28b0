"""Why a job is where it is and when it goes on, with numbers computed when asked."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eisbach.app import money, why_texts
from eisbach.app.check_place import told
from eisbach.app.explain_nodes import nodes_out
from eisbach.app.explain_power import what_power_lacks
from eisbach.app.explain_shares import what_shares_say
from eisbach.app.places import compiled_for
from eisbach.app.state import FactoryState
from eisbach.app.why_texts import Capacity, Said, capacity_of
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.giving_way import is_above_quota
from eisbach.core.admission.leaving_room import PATIENCE_MS, is_crowding
from eisbach.core.admission.outlook import best_domain, estimate
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.admission.yielding import Yielding
from eisbach.core.capacity.calendar import EntryKind
from eisbach.core.capacity.fit import free_of
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.policy.compile import Compiled
from eisbach.core.vocabulary.reasons import Reason

Answer = dict[str, Any]


def question(*, job: str) -> Callable[[FactoryState, int], Answer | None]:
    """Return the question why a job is where it is; None for one that has ended or never was."""

    def ask(state: FactoryState, now: int) -> Answer | None:
        known = state.scheduler.jobs.get(job)
        if known is None:
            return None
        answer: Answer = {"job": job, "state": known.state.value, "start_estimated_ms": None, "start_promised_ms": None}
        answer |= _late(state, known, now)
        if known.state is not JobState.WAITING:
            return answer | _under_way(known, now)
        if not known.is_funded:
            return answer | _unfunded(state, known)
        if known.not_before_ms > now:
            said = Said(why_texts.RETRY, {"attempt": known.attempts, "pause_ms": _seconds(known.not_before_ms - now)})
            return answer | _said(Reason.RETRY_DELAY.value, said) | {"start_estimated_ms": known.not_before_ms}
        return answer | _no_room(state, known, now)

    return ask


def _late(state: FactoryState, job: ActiveJob, now: int) -> Answer:
    """Return what stands beside the reason where a cap on power broke the promise of a job's start."""
    account = state.accounts[job.job]
    if job.state is JobState.WAITING and account.late_since_ms:
        return {"late": Said(why_texts.LATE, {"from_at": account.late_since_ms, "free_ms": money.LATE_MS_MAX})}
    return {"late": Said(why_texts.RUNS_FREE, {"free_ms": _seconds(account.free_ms)})} if account.free_ms else {}


def _under_way(job: ActiveJob, now: int) -> Answer:
    if job.state is JobState.STARTING:
        return _said(Reason.STARTING.value, Said(why_texts.STARTING, {"attempt": job.attempts, "nodes": _places(job)}))
    if job.state is JobState.STOPPING and job.stop_cause is not None:
        values = {"attempt": job.attempts, "cause": job.stop_cause.value, "grace_ms": job.stop_grace_ms}
        if job.signal_ms is not None and now < job.signal_ms:
            soon = Said(why_texts.NOTICE, {**values, "notice_ms": job.signal_ms - now, "signal_at": job.signal_ms})
            return _said(job.stop_cause.reason.value, soon)
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
    before = state.scheduler.unfunded[job.project].index((job.key(), job.job))
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
    ahead = scheduler.queue.ahead_of(job.job, scheduler.fair_share)
    if any(start.job == job.job for start in plan.starts):
        return _said(Reason.STARTING.value, Said(why_texts.NEXT_CYCLE, needs)) | {"start_estimated_ms": now}
    if not any(scheduler.fleet.could_without_drained(one, job.nodes, job.where, within=job.within) for one in job.shapes):
        if (ruled_out := _ruled_out(state, job)) is not None:
            said = Said(why_texts.RULED_OUT, {**needs, "left": len(ruled_out.sites or ()), "sites": len(state.sites)})
            why = ". ".join(told(state, (one for found in ruled_out.forbidden.values() for one in found)))
            return _said(Reason.PLACEMENT_FORBIDDEN.value, said) | {"text": f"{said}. {why}"}
        is_there = any(scheduler.fleet.could_ever(one, job.nodes, within=job.within) for one in job.shapes)
        said = nodes_out(state, job, needs) if is_there else Said(why_texts.GONE, needs)
        return _said(Reason.NODES_UNAVAILABLE.value, said)
    if job.booking:
        return _in_booking(state, job, needs, ahead, now)
    if (lacking := what_power_lacks(state, job, plan)) is not None:
        return _said(Reason.POWER_CAP.value, lacking)
    return _busy_or_behind(state, job, needs, ahead, now) | _shares(state, job) | _start(scheduler, job, now)


def _shares(state: FactoryState, job: ActiveJob) -> Answer:
    """Return what a quota says, which is the reason then, or a fair share, which stands beside it."""
    said = what_shares_say(state, job)
    if said is None:
        return {}
    return _said(Reason.ABOVE_QUOTA.value, said) if is_above_quota(state.scheduler, job) else {"share": said}


def _in_booking(state: FactoryState, job: ActiveJob, needs: Mapping[str, object], ahead: int, now: int) -> Answer:
    entry = state.scheduler.calendar.get(EntryKind.BOOKING, job.booking)
    if entry is None:
        return _said(Reason.OUTSIDE_BOOKING.value, Said(why_texts.BOOKING_OVER))
    if entry.from_ms <= now <= entry.until_ms - job.length_ms:  # other work of the owner is on its nodes
        free = _sum(free_of(node.state) for node in map(state.scheduler.fleet.nodes.__getitem__, entry.nodes) if node.available)
        return _said(Reason.CAPACITY_BUSY.value, Said(why_texts.BUSY, {**needs, "free": free, "ahead": ahead}))
    said = Said(why_texts.IN_BOOKING, {"from_at": entry.from_ms, "until_at": entry.until_ms})
    begins = {"start_promised_ms": entry.from_ms} if entry.from_ms > now else {}
    return _said(Reason.OUTSIDE_BOOKING.value, said) | begins


def _start(scheduler: SchedulerState, job: ActiveJob, now: int) -> Answer:
    """Return the start that is promised to a job, or else the estimate."""
    promise = scheduler.calendar.promises.get(job.job)
    if promise is not None:
        return {"start_promised_ms": promise.from_ms, "start_estimated_ms": None}
    return {"start_estimated_ms": estimate(scheduler, job, now)}


def _busy_or_behind(state: FactoryState, job: ActiveJob, needs: Mapping[str, object], ahead: int, now: int) -> Answer:
    """Return whether too little is free, or what is free is spoken for: by whom first, and from when on."""
    scheduler = state.scheduler
    place = scheduler.fleet.place
    if all(place(one, job.nodes, job.where, within=job.within, ends_by=0) is None for one in job.shapes):
        if job.within is not None and job.within.is_required:
            return _said(Reason.CAPACITY_BUSY.value, _in_one_domain(scheduler, job, needs, ahead, now))
        said = Said(why_texts.BUSY, {**needs, "free": _free(state, job), "ahead": ahead})
        return _said(Reason.CAPACITY_BUSY.value, said)
    placing = Placing(scheduler, now)
    if (waits_for := Yielding(placing).for_whom(job)) is not None:
        head, expected_ms = waits_for
        pattern = why_texts.YIELDS_TO_ONE if scheduler.jobs[head].project == job.project else why_texts.YIELDS
        return _said(Reason.BEHIND_PROMISE.value, Said(pattern, {"head": head, "start_at": expected_ms, "ahead": ahead}))
    if (until_ms := _leaves_room_until(placing, job)) is not None:
        return _said(Reason.CAPACITY_BUSY.value, Said(why_texts.LEAVES_ROOM, {"until_at": until_ms, "ahead": ahead}))
    entry = scheduler.calendar.first_before(now + job.length_ms, job.job)
    if entry is None:
        return _said(Reason.BEHIND_PROMISE.value, Said(why_texts.IN_ORDER, {**needs, "ahead": ahead}))
    values = {**needs, "from_at": entry.from_ms, "ahead": ahead}
    if entry.kind is EntryKind.PROMISE:
        # whose job it is, is nobody's business but its project's
        is_own = scheduler.jobs[entry.id].project == job.project
        pattern = why_texts.BEHIND_ONE if is_own else why_texts.BEHIND_FIRST
        return _said(Reason.BEHIND_PROMISE.value, Said(pattern, {**values, "head": entry.id}))
    if entry.kind is EntryKind.BOOKING:
        return _said(Reason.BEHIND_BOOKING.value, Said(why_texts.BEHIND_BOOKING, values))
    return _said(Reason.BEHIND_MAINTENANCE.value, Said(why_texts.BEHIND_MAINTENANCE, values))


def _leaves_room_until(placing: Placing, job: ActiveJob) -> int | None:
    """Return until when a job that fits now is held back to leave smaller work room, at the latest when its promise is due; or None."""
    promise, until_ms = placing.state.calendar.promises.get(job.job), job.submitted_ms + PATIENCE_MS
    if promise is not None:
        placing.strike(promise)  # its own nodes are not in its way
        until_ms = min(until_ms, promise.from_ms)
    is_held_back = is_crowding(placing, job)
    placing.roll_back()
    return until_ms if is_held_back else None


def _in_one_domain(scheduler: SchedulerState, job: ActiveJob, needs: Mapping[str, object], ahead: int, now: int) -> Said:
    assert job.within is not None
    free, until_ms = best_domain(scheduler, job, now)
    values = {**needs, "level": job.within.level.value, "free": free, "ahead": ahead}
    if until_ms is None:
        return Said(why_texts.BUSY_TOGETHER, values)
    return Said(why_texts.BUSY_TOGETHER_UNTIL, {**values, "until_at": until_ms})


def _free(state: FactoryState, job: ActiveJob) -> Capacity:
    fleet = state.scheduler.fleet
    free = [pool.free() for pool in dict.fromkeys(pool for shape in job.shapes for pool in fleet.pools_for(shape, job.where))]
    return _sum(free)


def _sum(free: Iterable[tuple[int, int, int]]) -> Capacity:
    """Return free amounts together: thousandths of a core, MiB, thousandths of a GPU."""
    cpu_milli, memory_mib, gpu_milli = (sum(amounts) for amounts in zip((0, 0, 0), *free, strict=True))
    return Capacity(cpu_milli=cpu_milli, memory_mib=memory_mib, gpu_milli=gpu_milli)


def _ruled_out(state: FactoryState, job: ActiveJob) -> Compiled | None:
    """Return what rules leave to a job where nodes that would do exist at forbidden sites alone, else None."""
    fleet = state.scheduler.fleet
    if any(fleet.could_ever(one, job.nodes, job.where) for one in job.shapes):
        return None
    compiled = compiled_for(state, job.project, job.placement, state.data.used_by.get(job.job, ()))
    is_elsewhere = any(fleet.could_ever(one, job.nodes) for one in job.shapes)
    return compiled if compiled.sites is not None and is_elsewhere else None
