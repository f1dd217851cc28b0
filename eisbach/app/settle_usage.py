"""Running attempts settle at each full hour, so at the month's end too; what no longer has money is stopped."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from eisbach.app import money
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import Body
from eisbach.app.events_usage import SettledTuple, UsageSettledTogether, settle_together
from eisbach.app.state import FactoryState, JobAccount
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
Running = tuple[str, ActiveJob, JobAccount, int]
"""An attempt, its job, the money of that, and the milliseconds that it held."""
Due = tuple[int, Sequence[Running]]
"""Attempts that are due, and the position of the log up to which they are: behind it somebody has to look again."""
NOT_LOOKED: Final[Due] = (-1, ())
NOT_SAVED: Final[Mapping[str, int]] = {}
AT_ONCE: Final = 500
"""Attempts, or jobs whose month turns, that one batch settles."""


def settle_running(application: "Application") -> int:
    """Settle every attempt that held capacity over a full hour or a month's end since it was settled; return how many."""
    held = _held(application)
    saved, due = _saved(application, held)
    settled = 0
    while True:
        answer = application.perform(partial(_decide, held=held, saved=saved, due=due)).result()
        if isinstance(answer, Refusal):
            return settled
        settled += int(answer["settled"])
        if answer["is_done"]:
            return settled
        due = answer["left"]


def _held(application: "Application") -> Held:
    engine = application.engine
    if isinstance(engine, TellsSinceWhen):
        return engine.since_when()
    return 0, {one.attempt_id: -one.held_ms for one in engine.observe() if one.ending is None}


def _saved(application: "Application", held: Held) -> tuple[Saved, Due]:
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
        return engine.saved_at({one[0]: one[1].job for one in due[1]}), due
    except EngineUnavailable as error:
        log.warning("the engine tells of no checkpoints now: %s", error)
        return NOT_SAVED, due


def _due(state: FactoryState, held: Held) -> Due:
    """Return the attempts of which an hour became full since they were settled; what does not run yet has held less than 0."""
    accounts, (at_ms, held_since) = state.accounts, held
    found = [
        (attempt, job, account, held_ms)
        for attempt, job in state.scheduler.holding.items()
        if (running_ms := job.running_ms) is not None
        and (began_ms := held_since.get(attempt)) is not None
        and (
            (since_ms := (held_ms := at_ms - began_ms) - (account := accounts[job.job]).attempt_settled_ms) >= SETTLE_EVERY_MS
            or since_ms > (running_ms + held_ms) % HOUR_MS
        )
    ]
    return state.next_seq, found


def _decide(
    state: FactoryState, context: Context, held: Held, saved: Saved, due: Due = NOT_LOOKED
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
    settled, left = _settle(state, period, saved, due[1] if due[0] == state.next_seq else _due(state, held)[1])
    if settled:
        count = sum([len(one.jobs) for one in settled])
        is_done = count < AT_ONCE and not _overspent(state)
        return _decided(settled, count, is_done=is_done, left=(state.next_seq + len(settled), left))
    # A lowered budget: what was stopped for it may have spent more than was foreseen. Only projects with attempts are
    # looked at: there may be hundreds of thousands without.
    stops: list[Body] = []
    for project, missing in _overspent(state):
        stops += money.stops_for(state, project, missing, context.now, SYSTEM.token)
    return _decided(stops, len(stops), is_done=not stops)


def _decided(events: Sequence[Body], count: int, *, is_done: bool = False, left: Due = NOT_LOOKED) -> Decision:
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
    state: FactoryState, period: str, saved: Saved, due: Sequence[Running]
) -> tuple[list[UsageSettledTogether], Sequence[Running]]:
    """Return a settlement for each project of its attempts that are due, of AT_ONCE of them at most, and who is left."""
    if state.turned_to != period:
        due = [one for one in due if one[2].period == period]  # the month of the others turns first
    each_ms, saved_of = (saved, NOT_SAVED.get) if isinstance(saved, int) else (0, saved.get)
    by_project: dict[str, tuple[list[SettledTuple], list[int]]] = {}
    for attempt, job, account, held_ms in due[:AT_ONCE]:
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
            newest_ms = saved_at_ms - (job.running_ms or 0) if saved_at_ms is not None else 0
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
        used.append(job.gpu_milli * (held_ms - account.attempt_settled_ms))
    events = [
        settle_together(project, period, entries, sum(used), transfer.settle(names_of(project, period), 0))
        for project, (entries, used) in by_project.items()
    ]
    return events, due[AT_ONCE:]


def _stop(job: ActiveJob) -> list[Body]:
    return [] if job.state is JobState.STOPPING else [money.stop_for_budget(job, SYSTEM.token)]
