"""Schemas of links into the web portal."""

from typing import Literal

from pydantic import Field

from eisbach.api.schemas import Asked, At, Id, Told


class NewPortalLink(Asked):
    role: Literal["sign-up", "operator", "auditor", "admin", "member", "viewer"]
    organisation: Id | None = Field(default=None, description="For the role admin.")
    project: Id | None = Field(default=None, description="For the roles member and viewer.")


class PortalLink(Told):
    role: str
    path: str = Field(description="Below the address of the factory; it holds the one-time code.")
    expires_at: At
