"""An uploaded working directory becomes known to a project."""

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import ArchiveReceived
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, project: str, archive: str, size: int) -> Command:
    """Return the command that notes an archive; the same one again in its project changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if project not in state.projects:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        reply = {"archive": archive, "project": project, "size": size}
        if archive in state.archives.get(project, ()):
            return Decision(reply=reply)
        event = ArchiveReceived(project=project, archive=archive, size=size, by=actor.token)
        return Decision(events=(event,), reply=reply, status=201)

    return decide
