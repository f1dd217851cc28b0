"""An organisation joins the factory."""

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import OrganisationCreated
from eisbach.app.names import check_name
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.vocabulary.reasons import Reason, Refusal

SEGMENTS = ("enterprise", "mittelstand", "start-up", "research", "public")


def command(actor: Actor, *, name: str, parent: str | None = None, segment: str = "enterprise") -> Command:
    """Return the command that creates an organisation; refused where the name is taken or the parent unknown."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        problem = check_name(name, "organisation")
        if problem is not None:
            return problem
        if segment not in SEGMENTS:
            return Refusal(
                Reason.INVALID_ARGUMENT, f"There is no segment {segment!r}", f"Use one of {', '.join(SEGMENTS)}", "segment"
            )
        if any(one.name == name and one.parent == parent for one in state.organisations.values()):
            return Refusal(
                Reason.NAME_TAKEN, f"There is an organisation named {name!r} already", "Choose another name", "name"
            )
        if parent is not None and parent not in state.organisations:
            return Refusal(Reason.NOT_FOUND, f"There is no organisation {parent!r}", "Look at `eisbach org list`", "parent")
        organisation = context.ids.new("org", context.now)
        commitment, text = commit_to(context.ids, f"{organisation}/name", name)
        event = OrganisationCreated(
            organisation=organisation, parent=parent, name=commitment, segment=segment, by=actor.token
        )
        reply = {
            "organisation": organisation,
            "name": name,
            "parent": parent,
            "segment": segment,
            "created_ms": context.now,
        }
        return Decision(events=(event,), texts=(text,), reply=reply, status=201)

    return decide
