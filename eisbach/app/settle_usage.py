"""Running attempts settle at each full hour, so at the month's end too; what no longer has money is stopped."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from eisbach.app import money
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import Body
from eisbach.app.events_usage import SettledTuple, UsageSettledTogether, settle_together
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.ledger import transfer
from eisbach.core.ledger.account import names_of
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.engine import CanCheckpoint, EngineUnavailable, SavesRegularly, TellsSinceWhen

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.rounds")

SETTLE_EVERY_MS: Final = HOUR_MS
Held = tuple[int, Mapping[str, int]]
"""An instant and, for attempts, since when they hold their capacity, on one clock: the difference is what they held."""
Saved = Mapping[str, int] | int
"""Attempt -> when its job last saved; or after how many milliseconds each saves again, where all do so regularly."""
Running = tuple[str, ActiveJob]
"""An attempt and its job."""
Left = tuple[int, Sequence[Running]]
"""Attempts beside which nobody is due, and the position of the log up to which that is so: behind it somebody has to look at all."""
NOT_LOOKED: Final[Left] = (-1, ())
NOT_SAVED: Final[Mapping[str, int]] = {}
AT_ONCE: Final = 500
"""Attempts, or jobs whose month turns, that one batch settles."""


def settle_running(application: "Application") -> int:
    """Settle every attempt that held capacity over a full hour or a month's end since it was settled; return how many."""
    held = _held(application)
    saved, left = _saved(application, held)
    settled = 0
    while True:
        answer = application.perform(partial(_decide, held=held, saved=saved, left=left)).result()
        if isinstance(answer, Refusal):
            return settled
        settled += int(answer["settled"])
        if answer["is_done"]:
            return settled
        left = answer["left"]


def _held(application: "Application") -> Held:
    engine = application.engine
    if isinstance(engine, TellsSinceWhen):
        return engine.since_when()
    return 0, {one.attempt_id: -one.held_ms for one in engine.observe() if one.ending is None}


def _saved(application: "Application", held: Held) -> tuple[Saved, Left]:
    """Return when those last saved that are due to be settled, and these, where somebody looked for them; asked before anything
    is decided. An engine that does not answer knows of no checkpoint now: what is charged waits for nobody."""
    engine = application.engine
    if isinstance(engine, SavesRegularly):
        return engine.saves_each_ms(), NOT_LOOKED
    if not isinstance(engine, CanCheckpoint):
        return NOT_SAVED, NOT_LOOKED
    due = application.ask(lambda state, now: _due(state, held)).result()
    if not due[1]:
        return NOT_SAVED, due
    try:
        return engine.saved_at({attempt: job.job for attempt, job in due[1]}), due
    except EngineUnavailable as error:
        log.warning("the engine tells of no checkpoints now: %s", error)
        return NOT_SAVED, due


def _due(state: FactoryState, held: Held) -> Left:
    """Return the attempts of which an hour became full since they were settled."""
    holding = state.scheduler.holding
    settled, _ = _settle(state, "", held, NOT_SAVED, holding.items(), len(holding))
    return state.next_seq, [(attempt, holding[attempt]) for one in settled for attempt in one.attempts]


def _decide(
    state: FactoryState, context: Context, held: Held, saved: Saved, left: Left = NOT_LOOKED
) -> Decision | Refusal:
    """Open months, move what is in an earlier one, settle running attempts: at most AT_ONCE of them a batch. The answer
    says whether that was all, and who is left."""
    period = month_of(context.now)
    if state.turned_to != period:
        months = {(account.project, account.period) for account in state.accounts.values()}
        projects = sorted({project for project, _ in months})
        opened = [event for one in projects if (event := money.open_period(state, one, context.now)) is not None]
        if opened:
            return _decided(opened, len(opened))
        if any(month < period for _, month in months):
            moved, count = _turn(state, context.now, held)
            if moved:
                return _decided(moved, count)
        else:
            state.turned_to = period  # whoever comes later comes into this month or a later one
    position = state.next_seq
    settled, rest = _settle(state, period, held, saved, left[1] if left[0] == position else state.scheduler.holding.items(), AT_ONCE)
    if settled:
        count = sum([len(one.jobs) for one in settled])
        is_done = count < AT_ONCE and not _overspent(state)
        return _decided(settled, count, is_done=is_done, left=(position + len(settled), rest))
    # A lowered budget: what was stopped for it may have spent more than was foreseen. Only projects with attempts are
    # looked at: there may be hundreds of thousands without.
    stops: list[Body] = []
    for project, missing in _overspent(state):
        stops += money.stops_for(state, project, missing, context.now, SYSTEM.token)
    return _decided(stops, len(stops), is_done=not stops)


def _decided(events: Sequence[Body], count: int, *, is_done: bool = False, left: Left = NOT_LOOKED) -> Decision:
    return Decision(events=tuple(events), reply={"settled": count, "is_done": is_done, "left": left})


def _overspent(state: FactoryState) -> list[tuple[str, int]]:
    """Return the projects with running attempts that have charged and reserved more than their budget, and by how much."""
    projects = sorted({job.project for job in state.scheduler.holding.values()})
    return [(project, missing) for project in projects if (missing := money.overspent(state, project)) > 0]


def _turn(state: FactoryState, now: int, held: Held) -> tuple[list[Body], int]:
    """Return the events that take jobs into the month of `now`: one job of a project in a batch, for the next one must
    see what this one left of the month's budget."""
    events: list[Body] = []
    spent: set[str] = set()
    for job in state.scheduler.jobs.values():
        if job.project in spent:
            continue
        found = _turned(state, job, now, held)
        if found:
            spent.add(job.project)
            events += found
            if len(spent) >= AT_ONCE:
                break
    return events, len(spent)


def _turned(state: FactoryState, job: ActiveJob, now: int, held: Held) -> list[Body]:
    if job.state is JobState.WAITING:
        moved = money.move_reservation(state, job, now)
        return [moved] if moved is not None else []
    at_ms, began_ms = held[0], held[1].get(str(job.attempt))
    if began_ms is None or began_ms > at_ms:
        return []  # it has ended or has just been planned: its end, or the next round, settles it
    turned = money.turn_of_month(state, job, at_ms - began_ms, now)
    if turned is None:
        return []
    reserved = sum(amount for _, _, amount, kind in turned.transfers if kind == "reserve")
    is_short = reserved < state.accounts[job.job].cap - turned.job_charged
    return [turned, *_stop(job)] if is_short else [turned]


def _settle(
    state: FactoryState, period: str, held: Held, saved: Saved, running: Iterable[Running], at_most: int
) -> tuple[list[UsageSettledTogether], Sequence[Running]]:
    """Return a settlement for each project of its attempts of which an hour became full since they were settled, and who is left
    to look at where these are as many as there may be."""
    accounts, (at_ms, held_since) = state.accounts, held
    if period and state.turned_to != period:
        running = [one for one in running if accounts[one[1].job].period == period]  # the month of the others turns first
    each_ms, saved_of = (saved, NOT_SAVED.get) if isinstance(saved, int) else (0, saved.get)
    by_project: dict[str, tuple[list[SettledTuple], list[int]]] = {}
    count, looked_at, since_of = 0, iter(running), held_since.get
    for attempt, job in looked_at:
        began_ms, running_ms = since_of(attempt), job.running_ms
        if began_ms is None or running_ms is None:
            continue
        account, held_ms = accounts[job.job], at_ms - began_ms  # less than 0 of what does not run yet
        since_ms = held_ms - account.attempt_settled_ms
        if since_ms < SETTLE_EVERY_MS and since_ms <= (running_ms + held_ms) % HOUR_MS:
            continue
        charged_ms = job.length_ms
        if charged_ms > held_ms:
            charged_ms = held_ms
        if account.free_ms:
            charged_ms = max(0, charged_ms - account.free_ms)
        job_charged = (account.earlier_weight + account.price * charged_ms) // HOUR_MS
        charged = job_charged - account.earlier_charged
        amount = charged - account.attempt_charged
        if amount > account.reserved:
            too_much, amount = amount - account.reserved, account.reserved
            charged, job_charged = charged - too_much, job_charged - too_much
        saved_ms = job.saved_ms
        if each_ms:
            newest_ms = held_ms - held_ms % each_ms
        else:
            saved_at_ms = saved_of(attempt)
            newest_ms = saved_at_ms - running_ms if saved_at_ms is not None else 0
        if newest_ms > saved_ms:
            saved_ms = newest_ms
        if saved_ms > held_ms:
            saved_ms = held_ms
        found = by_project.get(job.project)
        if found is None:
            found = by_project[job.project] = ([], [])
        entries, used = found
        entries.append(
            (attempt, job.job, held_ms, charged_ms, charged, job_charged, account.earlier_ms + charged_ms, amount, saved_ms)
        )
        used.append(job.gpu_milli * since_ms)
        count += 1
        if count == at_most:
            break
    events = [
        settle_together(project, period, entries, sum(used), transfer.settle(names_of(project, period), 0))
        for project, (entries, used) in by_project.items()
    ]
    return events, tuple(looked_at)


def _stop(job: ActiveJob) -> list[Body]:
    return [] if job.state is JobState.STOPPING else [money.stop_for_budget(job, SYSTEM.token)]
