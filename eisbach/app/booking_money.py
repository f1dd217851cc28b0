"""Where bookings and the ledger meet: each month of a window sets its own part of the price aside, from the first day on.

A month that is not open yet is granted exactly what bookings reserve in it, and the rest of the budget when it opens
(`money.open_period`): so a booking of next year is reserved now, and no month's budget is ever overspent.
"""

from collections.abc import Mapping, Sequence

from eisbach.app import money
from eisbach.app.events import TransferTuple
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.booking.settle import Ending, Stretch, by_month
from eisbach.core.ledger import transfer
from eisbach.core.ledger.account import names_of
from eisbach.core.ledger.transfer import Transfer
from eisbach.core.vocabulary.money import euro_text
from eisbach.core.vocabulary.reasons import Reason, Refusal


def lacking(state: FactoryState, project: str, wanted: Mapping[str, int]) -> Refusal | None:
    """Return why a project's budget does not carry what a booking sets aside by month, or None. Its month is open."""
    known = state.projects[project]
    for period, amount in sorted(wanted.items()):
        is_open = period <= known.period
        left = money.available(state, project) if is_open else known.budget - granted(state, project, period)
        if amount > left:
            return Refusal(
                Reason.OVER_BUDGET,
                f"The booking sets {euro_text(amount)} EUR aside in {period}, and {euro_text(max(0, left))} EUR of that month's "
                f"budget of {euro_text(known.budget)} EUR are left",
                "Book less, or have the budget raised (`eisbach project set-budget`)",
                "option",
                {"period": period, "needed_micro_eur": amount, "left_micro_eur": max(0, left), "budget_micro_eur": known.budget},
            )
    return None


def granted(state: FactoryState, project: str, period: str) -> int:
    """Return what of a month's budget was granted so far; of a month to come that is what bookings reserved in it."""
    return sum(map(state.ledger.balance, names_of(project, period)))


def reserved_by_bookings(state: FactoryState, project: str) -> dict[str, int]:
    """Return what the bookings of a project have reserved, by month."""
    found: dict[str, int] = {}
    for booking in state.booking.bookings.values():
        if booking.project == project:
            for period, amount in booking.reserved.items():
                found[period] = found.get(period, 0) + amount
    return found


def reservations(state: FactoryState, project: str, change: Mapping[str, int]) -> list[Transfer]:
    """Return the transfers that set more aside in some months and give back in others."""
    moved: list[Transfer] = []
    for period, amount in sorted(change.items()):
        is_coming, month = period > state.projects[project].period, names_of(project, period)
        if amount > 0:
            moved += [transfer.grant(month, amount)] if is_coming else []
            moved.append(transfer.reserve(month, amount))
        elif amount < 0 and is_coming:
            moved += [transfer.void(month, -amount), transfer.withdraw(month, -amount)]
        elif amount < 0:
            moved += money.release(state, project, period, -amount)
    return moved


def settled(booking: Booking, now: int) -> list[Transfer]:
    """Return the transfers that charge what is due up to an instant and was not yet, each month's part to the month."""
    due = by_month(booking.stretches, booking.settled_ms, now)
    return [transfer.settle(names_of(booking.project, period), amount) for period, amount in sorted(due.items())]


def changed(state: FactoryState, booking: Booking, stretches: Sequence[Stretch], now: int) -> list[Transfer]:
    """Return the transfers that settle a booking up to `now` and make its reservations what other stretches need after."""
    return settled(booking, now) + reservations(state, booking.project, _change(booking, stretches, now))


def settled_by(state: FactoryState, booking: Booking, stretches: Sequence[Stretch], now: int) -> list[Transfer]:
    """Return the transfers that charge what is due by other stretches up to `now`, and give back what is reserved beyond them."""
    due = by_month(stretches, booking.settled_ms, now)
    if stretches is booking.stretches:
        return [transfer.settle(names_of(booking.project, period), amount) for period, amount in sorted(due.items())]
    wanted = by_month(stretches, now, stretches[-1].until_ms)
    back = {period: due.get(period, 0) + wanted.get(period, 0) - kept for period, kept in booking.reserved.items()}
    paid = [transfer.settle(names_of(booking.project, period), amount) for period, amount in sorted(due.items())]
    return paid + reservations(state, booking.project, back)


def is_carried(state: FactoryState, booking: Booking, stretches: Sequence[Stretch], now: int) -> bool:
    """Return whether the budgets of the months in which other stretches need more carry that."""
    more = {period: amount for period, amount in _change(booking, stretches, now).items() if amount > 0}
    return lacking(state, booking.project, more) is None


def _change(booking: Booking, stretches: Sequence[Stretch], now: int) -> dict[str, int]:
    """Return by how much the reservations of a booking that is settled up to `now` change with other stretches."""
    left = dict(booking.reserved)
    for period, amount in by_month(booking.stretches, booking.settled_ms, now).items():
        left[period] = left.get(period, 0) - amount  # of a month that costs nothing nothing is set aside
    wanted = by_month(stretches, max(now, booking.settled_ms), stretches[-1].until_ms)
    return {period: wanted.get(period, 0) - left.get(period, 0) for period in {*wanted, *left}}


def ended(state: FactoryState, booking: Booking, ending: Ending) -> list[Transfer]:
    """Return the transfers that end a booking: what is still due, from its months in order, and the rest given back."""
    moved: list[Transfer] = []
    owed = ending.due - booking.charged
    back: dict[str, int] = {}
    for period, amount in sorted(booking.reserved.items()):
        taken = min(owed, amount)
        owed -= taken
        moved.append(transfer.settle(names_of(booking.project, period), taken))
        back[period] = taken - amount
    return moved + reservations(state, booking.project, back)


def credit(state: FactoryState, booking: Booking, amount: int) -> list[Transfer]:
    """Return the transfers that give the owner back what spot paid for the time that he left idle, in the open month."""
    if amount <= 0:
        return []
    period = state.projects[booking.project].period
    return [transfer.credit(names_of(booking.project, period), amount), *money.release(state, booking.project, period, amount)]


def tuples(transfers: Sequence[Transfer]) -> tuple[TransferTuple, ...]:
    """Return transfers as they stand in an event."""
    return money.as_tuples(transfers)
