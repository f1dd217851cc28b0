"""What the faces need to know whether a call is allowed."""

from typing import Protocol

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """Whether a call is allowed, and the ids of the policies that determined it (none: default deny)."""

    is_allowed: bool
    policies: tuple[str, ...] = ()


class Resource(msgspec.Struct, frozen=True):
    """What a call is about: its kind (`Job`, `Project`, `Organisation`, `Token`, `Log`, `Factory`) and where it belongs.

    `organisations` are the owning organisation and its ancestors, innermost first; empty for the factory's own things.
    """

    kind: str
    organisations: tuple[str, ...] = ()
    project: str | None = None


class Authoriser(Protocol):
    """Policies. Default deny; a forbid overrides every permit."""

    def decide(
        self, role: str, organisation: str | None, project: str | None, action: str, resource: Resource
    ) -> Verdict:
        """Return whether an actor of this role, bound to this organisation and project, may do `action`."""
