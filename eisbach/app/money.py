"""Where jobs and the ledger meet: months, reservations, settlements, all as transfers that events carry."""

from collections.abc import Sequence
from typing import Final

import msgspec

from eisbach.app.events import JobStopping, PeriodOpened, ReservationMoved, TransferTuple, UsageSettled
from eisbach.app.state import FactoryState, JobAccount, Project
from eisbach.core.admission.state import ActiveJob
from eisbach.core.billing.charge import charge_of
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.ledger import transfer
from eisbach.core.ledger.account import Names, names_of
from eisbach.core.ledger.transfer import Transfer
from eisbach.core.vocabulary.interval import end_of_month, month_of
from eisbach.core.vocabulary.quantities import HOUR_MS

LATE_MS_MAX: Final = HOUR_MS
"""So long an attempt runs uncharged at most because a cap on power broke the promise of its start."""


class Settlement(msgspec.Struct, frozen=True):
    """What an attempt was charged in total after this settlement, and the transfers that make it so."""

    charged_ms: int
    charged: int
    job_charged: int
    job_charged_ms: int
    transfers: tuple[TransferTuple, ...]


def as_tuples(transfers: Sequence[Transfer]) -> tuple[TransferTuple, ...]:
    """Return transfers as they stand in an event; those of nothing are left out."""
    return tuple([one for one in transfers if one[2] > 0])


def open_period(state: FactoryState, project: str, now: int) -> PeriodOpened | None:
    """Return the event that opens the calendar month of `now` for a project, or None where it is open."""
    known = state.projects[project]
    if now < known.until_ms:
        return None
    period = month_of(now)
    month = names_of(project, period)
    # Bookings of this month were granted what they reserved of it before it began.
    granted = sum(map(state.ledger.balance, month))
    opening = transfer.grant(month, max(0, known.budget - granted))
    return PeriodOpened(project=project, period=period, transfers=as_tuples([opening]))


def available(state: FactoryState, project: str) -> int:
    """Return the micro-euro a project may still reserve in its open month."""
    return state.ledger.balances.get(state.projects[project].month[0], 0)


def reserve(state: FactoryState, known: Project, amount: int) -> tuple[TransferTuple, ...] | None:
    """Return the transfers that reserve a job's cap in a project's open month; None where less is left of its budget."""
    month = known.month
    if amount > state.ledger.balances.get(month[0], 0):
        return None
    return (transfer.reserve(month, amount),) if amount > 0 else ()


def still_possible(money: JobAccount) -> int:
    """Return the most a job may still be charged: what has to be reserved before it starts."""
    return money.cap - money.charged


def release(state: FactoryState, project: str, period: str, amount: int) -> list[Transfer]:
    """Return the transfers that give a reservation back; what the budget no longer covers leaves the account."""
    return given_back(state, names_of(project, period), state.projects[project].budget, amount)


def given_back(state: FactoryState, month: Names, budget: int, amount: int) -> list[Transfer]:
    """Return the same of a month of a project with such a budget."""
    available, reserved, charged = month
    transfers, balance = [transfer.void(month, amount)], state.ledger.balances.get
    excess = balance(available, 0) + balance(reserved, 0) + balance(charged, 0) - budget
    if excess > 0:
        transfers.append(transfer.withdraw(month, min(amount, excess)))
    return transfers


def free_ms(state: FactoryState, job: str, now: int) -> int:
    """Return how long an attempt that starts now runs uncharged: as much too late as a cap on power made it, up to LATE_MS_MAX."""
    money = state.accounts[job]
    if not money.late_since_ms:
        return money.free_ms
    return money.free_ms + min(max(0, now - money.late_since_ms), LATE_MS_MAX)


def settle(state: FactoryState, job: ActiveJob, held_ms: int, *, is_charged: bool, is_over: bool) -> Settlement:
    """Return the settlement of an attempt that has held its capacity for `held_ms` so far.

    `is_charged` is False where the fault is ours: whatever was charged for this attempt is taken back. `is_over` says
    that the job has ended: what is left of the reservation is given back. The transfers are those of the attempt's end: time
    that it ran uncharged is charged there and credited at once, so that statements and bills have a line of it.
    """
    money = state.accounts[job.job]
    earlier, before, reserved = money.earlier_charged, money.attempt_charged, money.reserved
    within_ms = held_ms if held_ms < job.length_ms else job.length_ms
    charged_ms = within_ms - money.free_ms if is_charged else 0
    if charged_ms < 0:
        charged_ms = 0
    amount = charge_of(money.earlier_weight + money.price * charged_ms, earlier + before)
    if amount > reserved:
        amount = reserved
    month = names_of(money.project, money.period)
    transfers = [transfer.charge(month, amount)] if amount else []
    if money.free_ms and is_charged:
        in_full = charge_of(money.earlier_weight + money.price * within_ms, earlier + before + amount)
        late = min(in_full, reserved - amount)
        if late > 0:
            transfers += [transfer.settle(month, late), transfer.credit(month, late)]
    if is_over and reserved != amount:
        transfers += given_back(state, month, state.projects[money.project].budget, reserved - amount)
    charged = before + amount
    return Settlement(charged_ms, charged, earlier + charged, money.earlier_ms + charged_ms, tuple(transfers))


def turn_of_month(state: FactoryState, job: ActiveJob, held_ms: int, now: int) -> UsageSettled | None:
    """Return the settlement at the end of the month in which the job's money is reserved, or None while it lasts.

    The held time up to the month's end is charged to it, the rest of the reservation is voided and reserved anew in
    the month of `now` (which must be open) as far as its budget reaches.
    """
    money = state.accounts[job.job]
    if money.period >= month_of(now):
        return None
    after_end = max(0, now - end_of_month(money.period))
    held = min(held_ms, max(money.attempt_settled_ms, held_ms - after_end))
    settlement = settle(state, job, held, is_charged=True, is_over=False)
    charged_now = settlement.job_charged - money.charged
    rest = money.reserved - charged_now
    charged = transfer.charge(names_of(money.project, money.period), charged_now)
    transfers = [charged, *release(state, money.project, money.period, rest)]
    next_period = state.projects[money.project].period
    wanted = min(max(0, money.cap - settlement.job_charged), available(state, money.project))
    transfers.append(transfer.reserve(names_of(money.project, next_period), wanted))
    return UsageSettled(
        attempt=str(job.attempt),
        job=job.job,
        held_ms=held,
        charged_ms=settlement.charged_ms,
        charged=settlement.charged,
        job_charged=settlement.job_charged,
        job_charged_ms=settlement.job_charged_ms,
        period=money.period,
        next_period=next_period,
        transfers=as_tuples(transfers),
    )


def move_reservation(state: FactoryState, job: ActiveJob, now: int) -> ReservationMoved | None:
    """Return the event that takes a waiting job's reservation into the month of `now`, or None where it is there.

    Where the new month's budget is taken already, the job waits unfunded again.
    """
    money = state.accounts[job.job]
    if money.period >= month_of(now) or not job.is_funded:
        return None
    next_period = state.projects[money.project].period
    wanted = still_possible(money)
    is_funded = wanted <= available(state, money.project)
    transfers = release(state, money.project, money.period, money.reserved)
    if is_funded:
        transfers.append(transfer.reserve(names_of(money.project, next_period), wanted))
    return ReservationMoved(job=job.job, period=next_period, funded=is_funded, transfers=as_tuples(transfers))


def stops_for(state: FactoryState, project: str, missing: int, now: int, by: str) -> list[JobStopping]:
    """Return the stops of a project's newest attempts until what they will not spend any more covers `missing`.

    An attempt frees what is left of its reservation after the time that it has held and its grace are paid.
    """
    stops: list[JobStopping] = []
    for job in sorted(state.scheduler.holding.values(), key=lambda job: -job.seq):
        if missing <= 0:
            break
        if job.project != project:
            continue
        missing -= _freed_by_stop(state, job, now)
        if job.state is not JobState.STOPPING:
            stops.append(stop_for_budget(job, by))
    return stops


def stop_for_budget(job: ActiveJob, by: str) -> JobStopping:
    """Return the event that stops an attempt since its money is gone."""
    return JobStopping(
        job=job.job, attempt=str(job.attempt), cause=StopCause.BUDGET.value, grace_ms=job.grace_ms, by=by
    )


def overspent(state: FactoryState, project: str) -> int:
    """Return by how much the charges and reservations of the open month are above the budget, 0 where they are not."""
    known = state.projects[project]
    _, reserved, charged = known.month
    return max(0, state.ledger.balance(reserved) + state.ledger.balance(charged) - known.budget)


def _freed_by_stop(state: FactoryState, job: ActiveJob, now: int) -> int:
    held_ms = 0 if job.running_ms is None else max(0, now - job.running_ms) + job.grace_ms
    money = state.accounts[job.job]
    settled = settle(state, job, held_ms, is_charged=True, is_over=False)
    return money.reserved - max(0, settled.job_charged - money.charged)


def give_up_short(
    state: FactoryState, job: ActiveJob, settled: Settlement, amount: int
) -> tuple[ReservationMoved, ...]:
    """Return the event by which a job that waits again gives up a reservation that is too small, or none.

    A turn of the month may have left it less than it can still cost; `settled` and `amount` are what its attempt is
    charged in the same decision. It is funded anew, in queue order, before it starts.
    """
    money = state.accounts[job.job]
    reserved = money.reserved - amount
    if reserved >= money.cap - settled.job_charged:
        return ()
    transfers = as_tuples(release(state, money.project, money.period, reserved))
    return (ReservationMoved(job=job.job, period=money.period, funded=False, transfers=transfers),)
