"""Secrets of a project: the value goes to the keeper, the log only learns that there is one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eisbach.app.commands import Actor, Answer, Command, Context, Decision
from eisbach.app.events import SecretSet
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.jobs.environment import is_variable_name
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

NAME_LENGTH_MAX = 128
VALUE_BYTES_MAX = 64 * 1024


def store(application: "Application", actor: Actor, project: str, name: str, value: str) -> Answer:
    """Keep a secret under its name, replacing an older value; blocks until it is durable.

    The log learns of it first: a crash in between leaves a note without a value, which the unanswered client repeats,
    and never a value that the log knows nothing of.
    """
    problem = _check(name, value)
    if problem is not None:
        return problem
    if application.resource_of("Project", project) is None:
        return _no_such_project(project)
    answer = application.perform(_noted(actor, project, name, removed=False)).result()
    if not isinstance(answer, Refusal):
        application.secrets.put(project, name, value)
    return answer


def remove(application: "Application", actor: Actor, project: str, name: str) -> Answer:
    """Remove a secret; refused where there is none of that name."""
    if not _is_name(name) or not application.secrets.remove(project, name):
        return Refusal(Reason.NOT_FOUND, f"The project has no secret named {name!r}", "Look at `eisbach secret list`")
    return application.perform(_noted(actor, project, name, removed=True)).result()


def names(application: "Application", project: str) -> Sequence[str]:
    """Return the names of a project's secrets, sorted."""
    return application.secrets.names(project)


def _noted(actor: Actor, project: str, name: str, *, removed: bool) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if project not in state.projects:
            return _no_such_project(project)
        commitment, _ = commit_to(context.ids, f"{project}/secret", name)
        event = SecretSet(project=project, name=commitment, by=actor.token, removed=removed)
        return Decision(events=(event,), reply={"project": project, "name": name, "removed": removed})

    return decide


def _no_such_project(project: str) -> Refusal:
    return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")


def _is_name(name: str) -> bool:
    """Return whether a text can name a secret at all: no other one ever reaches the keeper, which may be a folder."""
    return is_variable_name(name) and len(name) <= NAME_LENGTH_MAX


def _check(name: str, value: str) -> Refusal | None:
    if not _is_name(name):
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"{name!r} cannot be the name of a secret",
            f"It becomes an environment variable: use letters, digits and _, at most {NAME_LENGTH_MAX} of them",
            "name",
        )
    if "\0" in value or len(value.encode()) > VALUE_BYTES_MAX:
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"The value of the secret {name!r} is longer than {VALUE_BYTES_MAX} bytes or holds a zero byte",
            "Keep large or binary data in the working directory or a data set",
            "value",
        )
    return None
