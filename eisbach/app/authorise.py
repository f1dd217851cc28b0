"""Whether an actor may do an action on a place of the factory: asked once per call, the same way by every face."""

import re
from typing import TYPE_CHECKING

from eisbach.app.commands import Actor
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.authoriser import Resource

if TYPE_CHECKING:
    from eisbach.app.application import Application

FACTORY, LOG, NODE = "Factory", "Log", "Node"
ORGANISATION, PROJECT, JOB, TOKEN = "Organisation", "Project", "Job", "Token"
INVOICE, DATA, BOOKING = "Invoice", "Data", "Booking"
OWN = "Own"
"""What the caller's token is bound to: a project, an organisation or the whole factory. For lists."""

Place = tuple[str, str | None]
"""Kind and id of what a call is about."""

ABSENT = Refusal(
    Reason.NOT_FOUND,
    "There is nothing here of that name or id, or this token may not see it",
    "Check how it is written, and that the token belongs to its project or organisation",
)
"""The one answer for foreign and for absent ids."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


def is_id(text: str) -> bool:
    """Return whether a text may be an id at all: what is not, is never looked for."""
    return _ID.match(text) is not None


def authorise(application: "Application", actor: Actor, action: str, place: Place) -> Resource | Refusal:
    """Return the resource if the actor may do the action on it; a hidden one is as absent as one that is not there."""
    resource = resource_of(application, actor, place)
    if resource is None:
        return ABSENT
    decide = application.authoriser.decide
    role, organisation, project = actor.role.value, actor.organisation, actor.project
    if decide(role, organisation, project, action, resource).is_allowed:
        return resource
    kind, name = place
    is_known = name in (actor.organisation, actor.project)
    if name is not None and not is_known and not decide(role, organisation, project, f"{kind.lower()}:read", resource).is_allowed:
        return ABSENT
    what = f"A token with the role {role} may not do {action} here"
    do = "Ask an administrator of your organisation or the operator"
    return Refusal(Reason.FORBIDDEN, what, do, values={"role": role, "action": action})


def resource_of(application: "Application", actor: Actor, place: Place) -> Resource | None:
    """Return where a place belongs, or None where there is none of this id."""
    kind, name = place
    if kind == OWN:
        if actor.project is not None:
            kind, name = PROJECT, actor.project
        elif actor.organisation is not None:
            kind, name = ORGANISATION, actor.organisation
        else:
            return Resource(FACTORY)
    if name is None:
        return Resource(kind)
    if not is_id(name):
        return None
    return application.resource_of(kind, name)
