"""`eisbach token`: who may do what, and until when."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_organisation, find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import say
from eisbach.core.jobs.amounts import DURATION, parse_duration_ms

COLUMNS = ["ID", "ROLE", "~LABEL", "~FOR", "EXPIRES", "REVOKED"]


def create(
    role: Annotated[str, typer.Option("--role", help="operator, auditor, admin, member or viewer.")] = "member",
    project: Annotated[str | None, typer.Option("--project", "-p", help="For member and viewer: name or id.")] = None,
    org: Annotated[str | None, typer.Option("--org", help="For admin: name or id.")] = None,
    label: Annotated[str, typer.Option("--label", help="What it is for, to tell tokens apart.")] = "",
    lifetime: Annotated[str | None, typer.Option("--lifetime", help="How long it is valid, such as 90d.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Create a token; its secret is shown once.

    The secret alone goes to stdout: `eisbach token create > file` keeps it.
    """
    body: dict[str, Any] = {"role": role, "label": label}
    if lifetime is not None:
        body["lifetime_ms"] = parse_duration_ms(lifetime)
        if body["lifetime_ms"] is None:
            raise usage_error(f"--lifetime is {lifetime!r}, but must be {DURATION}")
    session = Session()
    if role in ("member", "viewer"):
        body["project"] = find_project(session, project)["project"]
    elif role == "admin":
        if org is None:
            raise usage_error("A token with the role admin belongs to an organisation", "Name it with --org")
        body["organisation"] = find_organisation(session, org)["organisation"]
    made = session.client.post("/v1/tokens", body)
    show(document("token", token=made), output_format, lambda is_wide: _print_secret(made))


def list_tokens(output_format: Output = Format.TABLE) -> None:
    """List the tokens, without their secrets."""
    found = list(Session().client.pages("/v1/tokens", limit=1000))
    rows = [
        [
            one["token"],
            one["role"],
            one["label"],
            one["project"] or one["organisation"] or "",
            figures.instant(one["expires_at"]),
            figures.instant(one["revoked_at"]),
        ]
        for one in found
    ]
    show(document("tokens", tokens=found), output_format, lambda is_wide: table(COLUMNS, rows, empty="No tokens."))


def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Revoke a token at once."""
    gone = Session().client.delete(f"/v1/tokens/{segment(token)}")
    show(document("token", token=gone), output_format, lambda is_wide: print(f"Revoked {token}."))


def _print_secret(made: dict[str, Any]) -> None:
    say(f"Created {made['token']} with the role {made['role']}, valid until {figures.instant(made['expires_at'])}.")
    say("Its secret, shown only now:")
    print(made["secret"])
