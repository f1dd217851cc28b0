"""The budget of a calendar month is raised or lowered; what it no longer covers waits or stops, newest first."""

from eisbach.app import money
from eisbach.app.booking_money import reserved_by_bookings
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import BudgetSet, ReservationMoved
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.ledger import account, transfer
from eisbach.core.vocabulary.money import EURO, euro_text
from eisbach.core.vocabulary.reasons import Reason, Refusal

BUDGET_MAX = 10**12 * EURO


def check_budget(amount: int) -> Refusal | None:
    """Return why an amount cannot be a budget, or None."""
    if isinstance(amount, int) and not isinstance(amount, bool) and 0 <= amount <= BUDGET_MAX:
        return None
    return Refusal(
        Reason.INVALID_ARGUMENT,
        f"A budget of {amount} micro-euro is not possible",
        "Give an amount between 0 and 1,000,000,000,000 euro",
        "budget",
    )


def command(actor: Actor, *, project: str, budget_micro_eur: int) -> Command:
    """Return the command that sets a project's monthly budget from now on, the current month included."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        problem = check_budget(budget_micro_eur)
        if problem is not None:
            return problem
        if project not in state.projects:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        opened = money.open_period(state, project, context.now)
        if opened is not None:
            return Decision(events=(opened,), again=True)
        refusal = _booked(state, project, budget_micro_eur)
        if refusal is not None:
            return refusal
        period = state.projects[project].period
        month = account.names_of(project, period)
        free, reserved, charged = map(state.ledger.balance, month)
        change = budget_micro_eur - (free + reserved + charged)
        moved = transfer.grant(month, change) if change > 0 else transfer.withdraw(month, min(free, -change))
        event = BudgetSet(project=project, budget=budget_micro_eur, by=actor.token, transfers=money.as_tuples([moved]))
        missing = charged + reserved - budget_micro_eur
        released, missing = _releases(state, project, missing)
        stops = money.stops_for(state, project, missing, context.now, actor.token)
        reply = {"project": project, "budget": budget_micro_eur, "stopping": [stop.job for stop in stops]}
        return Decision(events=(event, *released, *stops), reply=reply)

    return decide


def _booked(state: FactoryState, project: str, budget: int) -> Refusal | None:
    """Return why a budget cannot be lowered so far: in some month bookings have reserved more."""
    for period, amount in sorted(reserved_by_bookings(state, project).items()):
        if amount > budget:
            return Refusal(
                Reason.BUDGET_BOOKED,
                f"Bookings have {euro_text(amount)} EUR reserved in {period}, and the budget would be {euro_text(budget)} EUR",
                "Cancel bookings first (`eisbach bookings`), or leave the budget higher",
                "budget",
                {"period": period, "reserved_micro_eur": amount, "budget_micro_eur": budget},
            )
    return None


def _releases(state: FactoryState, project: str, missing: int) -> tuple[list[ReservationMoved], int]:
    """Return the events that take reservations from jobs that only wait, newest first, and what is missing after them."""
    moves: list[ReservationMoved] = []
    for job in sorted(state.scheduler.jobs.values(), key=lambda job: -job.seq):
        held = state.accounts[job.job]
        if job.project != project or job.state is not JobState.WAITING or held.reserved == 0:
            continue
        if missing <= 0 or held.period != state.projects[project].period:
            break
        month = account.names_of(project, held.period)
        transfers = [transfer.void(month, held.reserved), transfer.withdraw(month, min(held.reserved, missing))]
        missing -= held.reserved
        moves.append(ReservationMoved(job=job.job, period=held.period, funded=False, transfers=money.as_tuples(transfers)))
    return moves, missing
