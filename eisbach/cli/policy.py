"""`eisbach policy`: where work and data may be, who says so, and what is where it may not be."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_owner
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean

Json = dict[str, Any]
Org = Annotated[str | None, typer.Option("--org", help="The organisation: name or id.")]
Project = Annotated[str | None, typer.Option("--project", "-p", help="The project: name or id.")]
Codes = list[str] | None


def set_rule(
    org: Org = None,
    project: Project = None,
    country: Annotated[Codes, typer.Option("--country", metavar="CODE", help="A country that sites may stand in, EU or EEA; repeatable.")] = None,
    operator: Annotated[Codes, typer.Option("--operator", metavar="CODE", help="A country that their operators may sit in; repeatable.")] = None,
    parent: Annotated[Codes, typer.Option("--parent", metavar="CODE", help="A country that the operators' ultimate parents may sit in; repeatable.")] = None,
    site: Annotated[Codes, typer.Option("--site", metavar="NAME", help="A site that is allowed; repeatable.")] = None,
    dedicated: Annotated[str | None, typer.Option("--dedicated", metavar="WHO", help="project or organisation: nodes are shared with no other.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the rule there is.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Set the placement rule of an organisation or a project.

    It replaces the one there is. Rules of the organisations above hold as well: the most restrictive wins.
    """
    said = {"countries": country, "operator_countries": operator, "parent_countries": parent, "sites": site}
    body: Json = {key: _parts(values) for key, values in said.items() if values}
    if dedicated is not None:
        body["dedicated"] = dedicated
    if not body and not remove:
        raise usage_error("Nothing was said that the rule should be", "Name limits, such as --country DE, or --remove it")
    if body and remove:
        raise usage_error("--remove and limits exclude each other")
    session = Session()
    path, name = find_owner(session, org, project)
    changed = session.client.put(f"{path}/rules", body)
    position = changed["position"]
    verb = ("removed" if remove else "set") if changed["changed"] else "unchanged"
    words = f"The rule of {clean(name)} is {verb}" + (f" (log position {position})." if position is not None else ".")

    def as_text(is_wide: bool) -> None:
        print(words)
        _print_sites(session.client.get(f"{path}/rules")["sites"])

    show(document("rule", rule=changed), output_format, as_text)


def show_rules(org: Org = None, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Show the rules of an organisation or a project, and the sites they leave."""
    session = Session()
    path, name = find_owner(session, org, project)
    found = session.client.get(f"{path}/rules")

    def as_text(is_wide: bool) -> None:
        lines = [
            (f"{rule['scope']} {rule['owner']}", f"{rule['text']} (log position {rule['position']})") for rule in found["rules"]
        ]
        pairs(lines or [(clean(name), "no rule: every site is allowed")])
        print()
        _print_sites(found["sites"])

    show(document("rules", rules=found), output_format, as_text)


def check(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    org: Org = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> int:
    """Say whether the rules allow a site.

    Exit code 1 where they forbid it.
    """
    session = Session()
    path, name = find_owner(session, org, project)
    found = session.client.get(f"{path}/rules")
    answer = next((one for one in found["sites"] if one["site"] == site), None)
    if answer is None:
        names = ", ".join(one["site"] for one in found["sites"])
        raise CliError(f"There is no site {site!r}", f"Sites here: {names}", ExitCode.NOT_FOUND)

    def as_text(is_wide: bool) -> None:
        label = " (simulated)" if answer["simulated"] else ""
        print(f"{site}{label} is {'allowed' if answer['allowed'] else 'forbidden'} for {clean(name)}.")
        for reason in answer["reasons"]:
            print(f"  - {reason}")

    show(document("rule-check", check=answer), output_format, as_text)
    return ExitCode.OK if answer["allowed"] else ExitCode.FAILED


def violations(
    is_open: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """List what was found where rules forbid it."""
    found = list(Session().client.pages("/v1/violations", open="true" if is_open else None))
    rows = [
        [
            one["violation"],
            f"{one['what']} {one['subject']}" if one["what"] == "attempt" else one["what"],
            one["site"],
            figures.instant(one["found_at"]),
            f"{one['ended_how']}, {figures.instant(one['ended_at'])}" if one["ended_at"] else "no",
        ]
        for one in found
    ]
    empty = "No violation is open." if is_open else "No violation was ever found."

    def as_text(is_wide: bool) -> None:
        table(["ID", "WHAT", "SITE", "FOUND", "ENDED"], rows, empty=empty)
        for reason in dict.fromkeys(reason for one in found for reason in one["reasons"]):
            print(f"  - {clean(reason)}")

    show(document("violations", violations=found), output_format, as_text)


def targets(output_format: Output = Format.TABLE) -> None:
    """List where logs and backups were written."""
    found = list(Session().client.pages("/v1/targets"))
    rows = [
        [one["use"], one["site"], "cleared" if one["is_cleared"] else "written", figures.instant(one["at"]), str(one["position"])]
        for one in found
    ]
    columns = ["WHAT", "SITE", "STATE", "AT", ">POSITION"]
    show(document("targets", targets=found), output_format, lambda is_wide: table(columns, rows, empty="Nothing was written yet."))


def clear(
    use: Annotated[str, typer.Argument(metavar="WHAT", help="log or backup.")],
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Record your word that no log, or no backup, is kept at a site any more."""
    done = Session().client.post("/v1/targets/clear", {"use": use, "site": site})
    words = f"It is on record (log position {done['position']}) that no {use} is kept at {clean(site)} any more."
    show(document("target", target=done), output_format, lambda is_wide: print(words))


def _parts(values: list[str]) -> list[str]:
    """Return values given one by one or separated by commas."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _print_sites(sites: list[Json]) -> None:
    rows = [
        [
            one["site"],
            one["country"],
            one["operator"],
            one["operator_country"],
            one["parent_country"],
            "yes" if one["allowed"] else "no",
            "simulated" if one["simulated"] else "",
        ]
        for one in sites
    ]
    table(["SITE", "COUNTRY", "~OPERATOR", "SEAT", "PARENT", "ALLOWED", ""], rows, empty="No sites.")
    for reason in (reason for one in sites for reason in one["reasons"]):
        print(f"  - {clean(reason)}")
