"""A project is created inside an organisation, with the budget of a calendar month."""

from eisbach.app import money
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import ProjectCreated
from eisbach.app.names import check_name
from eisbach.app.set_budget import check_budget
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, organisation: str, name: str, budget_micro_eur: int) -> Command:
    """Return the command that creates a project; names are unique within the factory's organisations."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        problem = check_name(name, "project") or check_budget(budget_micro_eur)
        if problem is not None:
            return problem
        if organisation not in state.organisations:
            return Refusal(Reason.NOT_FOUND, f"There is no organisation {organisation!r}", "Look at `eisbach org list`")
        if any(one.name == name and one.organisation == organisation for one in state.projects.values()):
            return Refusal(
                Reason.NAME_TAKEN, f"The organisation has a project named {name!r} already", "Choose another name", "name"
            )
        project = context.ids.new("prj", context.now)
        commitment, text = commit_to(context.ids, f"{project}/name", name)
        event = ProjectCreated(
            project=project, organisation=organisation, name=commitment, budget=budget_micro_eur, by=actor.token
        )
        reply = {
            "project": project,
            "organisation": organisation,
            "name": name,
            "budget": budget_micro_eur,
            "created_ms": context.now,
        }
        return Decision(events=(event,), texts=(text,), reply=reply, status=201)

    return decide


def figures(state: FactoryState, project: str, now: int) -> dict[str, int | str]:
    """Return a project's budget and what of it is reserved, charged and available in the month of `now`."""
    opened = money.open_period(state, project, now)
    budget = state.projects[project].budget
    if opened is not None:
        return {"period": opened.period, "budget": budget, "reserved": 0, "charged": 0, "available": budget}
    period = state.projects[project].period
    balances = {
        name: state.ledger.balance(f"{project}/{period}/{name}") for name in ("reserved", "charged", "available")
    }
    return {"period": period, "budget": budget, **balances}
