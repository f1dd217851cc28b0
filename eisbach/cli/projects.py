"""`eisbach project`: where an organisation's work, access and spending are kept together."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.profile import write_profile
from eisbach.cli.resolve import find_organisation, find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say
from eisbach.core.vocabulary.money import parse_euro

Json = dict[str, Any]
Budget = Annotated[str, typer.Option("--budget", metavar="EUR", help="What may be spent in a month, such as 25.")]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name.")],
    budget: Budget,
    org: Annotated[str | None, typer.Option("--org", help="The organisation: name or id.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Create a project with a monthly budget."""
    amount = _amount(budget)
    session = Session()
    organisation = _organisation(session, org)
    body = {"name": name, "organisation": organisation["organisation"], "budget_micro_eur": amount}
    made = session.client.post("/v1/projects", body)
    show(document("project", project=made), output_format, lambda is_wide: print(f"Created project {made['project']}."))
    profile = session.settings.profile
    if profile.url == session.client.url and profile.project is None:
        write_profile(session.settings.profile_file, profile._replace(project=made["project"]))
        say(f"Commands use project {clean(name)} from now on, unless told otherwise.")


def list_projects(output_format: Output = Format.TABLE) -> None:
    """List the projects with budget, charges and what is left."""
    session = Session()
    found = [
        session.client.get(f"/v1/projects/{segment(one['project'])}")
        for one in session.client.pages("/v1/projects", limit=1000)
    ]
    default = session.default_project
    columns = ["ID", "~NAME", ">BUDGET", ">CHARGED", ">RESERVED", ">AVAILABLE", "DEFAULT"]
    rows = [
        [
            one["project"],
            one["name"],
            *(figures.euro_short(one.get(f"{part}_micro_eur")) for part in ("budget", "charged", "reserved", "available")),
            "*" if default in (one["project"], one["name"]) else "",
        ]
        for one in found
    ]
    empty = "No projects. Create one with `eisbach project create NAME --budget 25`."
    show(document("projects", projects=found), output_format, lambda is_wide: table(columns, rows, empty=empty))


def set_budget(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name or id.")],
    budget: Budget,
    output_format: Output = Format.TABLE,
) -> None:
    """Change the monthly budget of a project."""
    amount = _amount(budget)
    session = Session()
    found = find_project(session, project)
    changed = session.client.patch(f"/v1/projects/{found['project']}", {"budget_micro_eur": amount})
    words = f"The budget of {clean(found['name'])} is {figures.euro(amount)} EUR a month."
    show(document("project", project=changed), output_format, lambda is_wide: print(words))


def use(project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name or id.")]) -> None:
    """Make a project the default of this command line."""
    session = Session()
    profile = session.settings.profile
    if profile.url != session.client.url:
        raise CliError(
            f"The profile remembers {profile.url or 'no factory'}, not {session.client.url}",
            "Set EISBACH_PROJECT instead, or log in with `eisbach login`",
            ExitCode.REFUSED,
        )
    found = find_project(session, project)
    write_profile(session.settings.profile_file, profile._replace(project=found["project"]))
    say(f"Commands use project {clean(found['name'])} from now on, unless told otherwise.")


def _amount(text: str) -> int:
    try:
        amount = parse_euro(text)
    except ValueError as error:
        raise usage_error(f"--budget {error}") from error
    if amount < 0:
        raise usage_error(f"--budget {text} is negative", "A budget is 0 or more")
    return amount


def _organisation(session: Session, wanted: str | None) -> Json:
    """Return the organisation that is named, else the token's own, else the only one there is."""
    if wanted is not None:
        return find_organisation(session, wanted)
    own = session.client.get("/v1/me").get("organisation")
    if own:
        return {"organisation": own}
    found = list(session.client.pages("/v1/organisations"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CliError(
            "There is no organisation yet", "Create one with `eisbach org create NAME`", ExitCode.NOT_FOUND
        )
    names = ", ".join(clean(one["name"]) for one in found[:10])
    raise usage_error(f"Which organisation? There are {len(found)}: {names}", "Choose one with --org")
