"""`eisbach portal`: fresh links that open the web portal once."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import Client
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.resolve import find_organisation, find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import say

SIGN_UP = "sign-up"
WORDS = {
    SIGN_UP: "a new organisation signs itself up",
    "operator": "the operator of the whole factory",
    "auditor": "an auditor: reads everything, changes nothing",
    "admin": "an administrator of the organisation",
    "member": "a member of the project",
    "viewer": "a viewer of the project",
}


def portal(
    role: Annotated[str | None, typer.Option("--role", help="sign-up, operator, auditor, admin, member or viewer.")] = None,
    organisation: Annotated[str | None, typer.Option("--organisation", help="For admin: name or id.")] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", help="For member and viewer: name or id.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Print fresh links into the web portal; each works once.

    Without options: one to sign an organisation up, one for the operator.
    """
    session = Session()
    bodies = _bodies(session, role, organisation, project)
    links = [offered(session.client, body) for body in bodies]
    show(document("portal", links=links), output_format, lambda is_wide: print_links(links))


def offered(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return a new link: for whom, its address, and until when it works."""
    made = client.post("/v1/portal-links", body)
    return {"role": made["role"], "link": client.url.rstrip("/") + made["path"], "expires_at": made["expires_at"]}


def print_links(links: list[dict[str, Any]]) -> None:
    """Print links, each with what it opens; the links alone go to stdout."""
    for one in links:
        say(f"{WORDS[one['role']]}, until {figures.instant(one['expires_at'])}:")
        print(one["link"], flush=True)


def _bodies(session: Session, role: str | None, organisation: str | None, project: str | None) -> list[dict[str, Any]]:
    if role is not None and role not in WORDS:
        raise usage_error(f"--role is {role!r}", f"Use one of {', '.join(WORDS)}")
    if organisation is not None and role in (None, "admin"):
        return [{"role": "admin", "organisation": find_organisation(session, organisation)["organisation"]}]
    if role in ("member", "viewer"):
        return [{"role": role, "project": find_project(session, project)["project"]}]
    if role == "admin":
        raise usage_error("An administrator belongs to an organisation", "Name it with --organisation")
    if organisation is not None or project is not None:
        raise CliError("This role belongs to the whole factory", "Leave --organisation and --project out")
    return [{"role": one} for one in ((role,) if role is not None else (SIGN_UP, "operator"))]
