"""`eisbach energy`: kWh and CO2 of a job, or of a project's month, each with the label of its figures."""

from typing import Annotated, Any

import typer

from eisbach.cli import energy_figures as words
from eisbach.cli.client import segment
from eisbach.cli.jobs import Project
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_job, find_project
from eisbach.cli.session import Session

Json = dict[str, Any]


def energy(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Name, id, or the start of an id.")] = None,
    period: Annotated[str | None, typer.Option("--period", metavar="YYYY-MM", help="The month; now without it.")] = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Show what a job, or a project in a month, drew: kWh and CO2."""
    session = Session()
    if job is not None:
        found = find_job(session, job, project)
        statement = session.client.get(f"/v1/jobs/{segment(found['job'])}/energy")
        show(document("job-energy", **statement), output_format, lambda is_wide: _print_job(found, statement, is_wide))
        return
    place = find_project(session, project)
    statement = session.client.get(f"/v1/projects/{place['project']}/energy", period=period)
    show(document("project-energy", **statement), output_format, lambda is_wide: _print_project(place, statement))


def _print_job(job: Json, statement: Json, is_wide: bool) -> None:
    pairs([("job", f"{job.get('name') or ''} ({job['job']})"), *words.parts(statement)])
    if not statement["is_complete"]:
        print("\nNot complete yet: the meters are read again within a minute of the job's end.")
    if is_wide and statement["intervals"]:
        print()
        rows = [
            [one["from_at"], one["to_at"], one["site"], words.kwh(one["own_mj"] + one["idle_mj"] + one["overhead_mj"]), one["label"]]
            for one in statement["intervals"]
        ]
        table(["FROM", "TO", "SITE", ">KWH", "LABEL"], rows)


def _print_project(place: Json, statement: Json) -> None:
    pairs(
        [
            ("project", str(place.get("name") or place["project"])),
            ("period", str(statement["period"])),
            ("statement", f"by {statement['law']}"),
            *words.parts(statement),
            *(
                (
                    f"check {one['site']}",
                    "jobs + idle + overhead = meter" if one["is_exact"] else "the parts are NOT the meter",
                )
                for one in statement["sites"]
            ),
        ]
    )
    if statement["jobs"]:
        print()
        rows = [
            [one["job"], one["name"], words.kwh(one["total_mj"]), words.carbon(one["carbon_location_mg"]), one["label"]]
            for one in statement["jobs"]
        ]
        table(["JOB", "~NAME", ">KWH", ">CO2", "LABEL"], rows)
