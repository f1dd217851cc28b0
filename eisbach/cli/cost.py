"""`eisbach cost`: what was charged, to the last micro-euro."""

from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli import energy_figures, figures
from eisbach.cli.errors import usage_error
from eisbach.cli.jobs import Project, site_words
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_job, find_project
from eisbach.cli.session import Session

Json = dict[str, Any]
CHUNK = 65_536


def cost(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Name, id, or the start of an id.")] = None,
    period: Annotated[str | None, typer.Option("--period", metavar="YYYY-MM", help="The month; now without it.")] = None,
    project: Project = None,
    focus: Annotated[
        Path | None, typer.Option("--focus", metavar="FILE.csv", help="Write the month of the project as FOCUS 1.2.")
    ] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Show what a project, or one job by attempt, was charged."""
    session = Session()
    if focus is not None:
        if job is not None:
            raise usage_error("--focus writes a month of a project, not one job", "Leave the job out")
        _write_focus(session, find_project(session, project), period, focus, output_format)
        return
    if job is not None:
        found = find_job(session, job, project)
        statement = session.client.get(f"/v1/jobs/{found['job']}/cost")
        statement["energy"] = session.client.get(f"/v1/jobs/{found['job']}/energy")
        show(document("job-cost", **statement), output_format, lambda is_wide: _print_job_cost(found, statement))
        return
    place = find_project(session, project)
    statement = session.client.get(f"/v1/projects/{place['project']}/cost", period=period)
    statement["energy"] = session.client.get(f"/v1/projects/{place['project']}/energy", period=period)
    show(document("project-cost", **statement), output_format, lambda is_wide: _print_project_cost(place, statement))


def _write_focus(session: Session, place: Json, period: str | None, path: Path, output_format: Format) -> None:
    with session.client.open(f"/v1/projects/{place['project']}/focus.csv", period=period) as answer:
        content = b"".join(iter(lambda: answer.read(CHUNK), b""))
    path.write_bytes(content)
    said = document("focus", path=str(path), size=len(content))
    show(said, output_format, lambda is_wide: print(f"Wrote {path} ({len(content)} bytes)."))


def _print_project_cost(place: Json, statement: Json) -> None:
    pairs(
        [
            ("project", str(place.get("name") or place["project"])),
            ("period", str(statement.get("period") or "")),
            *((part, _amount(statement, part)) for part in ("budget", "charged", "reserved", "available")),
            *energy_figures.parts(statement["energy"]),
        ]
    )
    jobs = statement.get("jobs") or []
    if jobs:
        print()
        rows = [
            [one["job"], one.get("name") or "", site_words(one), figures.duration(one.get("charged_ms")), _exact(one)]
            for one in jobs
        ]
        table(["JOB", "~NAME", "SITE", ">CHARGED TIME", ">EUR"], rows)
    bookings = statement.get("bookings") or []
    if bookings:
        print()
        rows = [[one["booking"], f"{one['nodes']} x {one['flavour']}", site_words(one), _exact(one)] for one in bookings]
        table(["BOOKING", "WHAT", "SITE", ">EUR"], rows)


def _print_job_cost(job: Json, statement: Json) -> None:
    pairs(
        [
            ("job", f"{job.get('name') or ''} ({job['job']})"),
            ("site", site_words(statement)),
            ("tariff", str(statement["tariff"])),
            ("ceiling", _amount(statement, "ceiling")),
            ("charged", f"{_amount(statement, 'charged')} for {statement['charged_ms']} ms"),
            *_credited(statement),
            *energy_figures.parts(statement["energy"]),
        ]
    )
    attempts = statement.get("attempts") or []
    if not attempts:
        return
    print()
    columns = [">ATTEMPT", "OUTCOME", "FAULT", ">HELD MS", ">CHARGED MS", ">EUR"]
    rows = [
        [
            str(one["number"]),
            str(one.get("outcome") or one.get("state") or ""),
            str(one.get("fault") or ""),
            str(one["held_ms"]),
            str(one["charged_ms"]),
            _exact(one),
        ]
        for one in attempts
    ]
    table(columns, rows)


def _credited(statement: Json) -> list[tuple[str, str]]:
    """Return what a job was credited as a line; none where that is nothing."""
    if not statement["credited_micro_eur"]:
        return []
    return [("credited", f"{_amount(statement, 'credited')} as power was capped: it started later than promised")]


def _amount(statement: Json, part: str) -> str:
    amount = statement.get(f"{part}_micro_eur")
    return "" if amount is None else f"{figures.euro(amount)} EUR"


def _exact(one: Json) -> str:
    return figures.euro(one.get("charged_micro_eur"))
