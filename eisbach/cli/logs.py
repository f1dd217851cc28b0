"""`eisbach logs`: what a job has written, and what it writes."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from eisbach.cli.errors import usage_error
from eisbach.cli.event_stream import Follower
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.follow import LinePrinter
from eisbach.cli.jobs import JobName, Project
from eisbach.cli.output import Format, Output, document
from eisbach.cli.resolve import find_job
from eisbach.cli.session import Session
from eisbach.cli.terminal import say
from eisbach.core.jobs.lifecycle import JobState

PAGE = 1000


def logs(
    job: JobName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="As the job wrote it, with control characters; only into a pipe or file.")
    ] = False,
    rank: Annotated[int | None, typer.Option("--rank", help="Only this task of the gang.")] = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> int:
    """Print the log of a job.

    With -o json: a line that names the format, then each line of the log as one JSON object.
    """
    if output_format is Format.YAML:
        raise usage_error("A log is not printed as YAML", "Use -o json: one JSON object a line")
    if raw and sys.stdout.isatty():
        raise usage_error(
            "--raw would let the job's control characters reach your terminal", "Send it into a file or a pipe"
        )
    session = Session()
    found = find_job(session, job, project)
    is_over = found.get("state") == JobState.ENDED.value
    lines = _stored(session, found["job"]) if is_over or not follow else _growing(session, found["job"])
    printer = LinePrinter(raw=raw, is_gang=found["nodes"] > 1 and rank is None)
    is_json = output_format is Format.JSON
    if is_json:
        print(json.dumps(document("logs", job=found["job"])))
    is_empty = True
    try:
        for line in lines:
            is_empty = False
            if rank is None or line.get("rank") == rank:
                sys.stdout.write(json.dumps(line) + "\n" if is_json else printer.text(line))
                if follow:
                    sys.stdout.flush()
        sys.stdout.write("" if is_json else printer.end())
    except KeyboardInterrupt:
        say("\nNo longer watching; the job goes on." if follow and not is_over else "")
        return ExitCode.INTERRUPTED
    if is_empty and is_over:
        say("No log is kept of this job: it wrote nothing, or the factory was restored from a backup, which has no logs.")
    return ExitCode.OK


def _stored(session: Session, job: str) -> Iterator[dict[str, Any]]:
    yield from session.client.pages(f"/v1/jobs/{job}/logs", limit=PAGE)


def _growing(session: Session, job: str) -> Iterator[dict[str, Any]]:
    for event in Follower(session.client, f"/v1/jobs/{job}/logs/stream", say).events():
        if event.kind == "line":
            yield event.data
