"""A template becomes a task: its task file with what somebody chose over it, its folder as an uploaded archive."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eisbach.app import receive_archive
from eisbach.app.commands import Actor
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


def task_of(application: "Application", template: str, chosen: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """Return a template's task with the chosen values of its keys; `resources` and `envs` are merged key by key."""
    task = application.templates.task(template)
    if task is None:
        return Refusal(Reason.NOT_FOUND, f"There is no template {template!r}", "Choose one of the list", "template")
    made = dict(task)
    for key, value in chosen.items():
        made[key] = {**(made.get(key) or {}), **value} if isinstance(value, Mapping) else value
    return made


def upload(application: "Application", actor: Actor, project: str, template: str) -> str | Refusal:
    """Keep a template's folder as an archive of the project and return its id; the same folder changes nothing."""
    packed = application.templates.pack(template)
    if isinstance(packed, Refusal):
        return packed
    with application.archives.receive() as incoming:
        problem = incoming.write(packed) or application.archives.check(incoming.path)
        if problem is not None:
            return problem
        archive = incoming.keep()
    if isinstance(archive, Refusal):
        return archive
    noted = application.perform(
        receive_archive.command(actor, project=project, archive=archive, size=len(packed))
    ).result()
    return noted if isinstance(noted, Refusal) else archive
