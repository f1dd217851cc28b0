"""Jobs: the list, a job with its live log, why it is where it is, its attempts, cost and outputs; cancelling."""

import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse

from eisbach.app import cancel_job, explain_job, report_cost, report_energy, running_cost
from eisbach.app.authorise import ABSENT
from eisbach.app.read_output import (
    JobLines,
    OutputLine,
    find_kept_file,
    follow_job,
    keeper_of,
    kept_files,
    parse_place,
)
from eisbach.app.visible import projects_of
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import JOB, OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.portal.streams import Event, LiveStream
from eisbach.ports.store import Row
from eisbach.ports.translator import N_

PAGE_JOBS = 50
LINES_SHOWN = 500
LINES_AT_ONCE = 200
STATUS_S = 2.0
"""How old the panel of a followed job may become: why it waits is computed by the writer, once for each who looks."""

@page("GET", "/jobs", "project:read", OWN)
def list_jobs(call: Call) -> Response:
    """Show the jobs of all projects that the caller may see, newest first."""
    names = {row["project"]: row["name"] for row in projects_of(call.application.reader, call.who, 1000)}
    where: dict[str, object] = {} if call.may("factory:observe") else {"project": tuple(names)}
    found = call.application.reader.rows("jobs", where, cursor=call.query("after") or None, limit=PAGE_JOBS)
    return call.render("jobs/list.html", jobs=found.rows, next_cursor=found.next_cursor, project_names=names)


@page("GET", "/jobs/{job}", "job:read", JOB, "job")
def show_job(call: Call) -> Response:
    """Show a job with all there is to know about it."""
    row = _row(call)
    lines, place = _lines(call, row["job"]) if _may(call, "job:logs") else ([], "")
    spec = call.application.reader.text(f"{row['job']}/spec")
    values = {
        **_status(call, row),
        "lines": lines,
        "place": place,
        "files": _files(call, row["job"]) if _may(call, "artifact:read") else [],
        "may_cancel": _may(call, "job:cancel"),
        "form_id": call.new_form_id(),
        "spec": msgspec.json.decode(spec.content) if spec is not None and spec.content else None,
        "project": call.application.reader.row("projects", row["project"]),
    }
    return call.render("jobs/show.html", **values)


@page("GET", "/jobs/{job}/live", "job:logs", JOB, "job")
async def follow(call: Call) -> Response:
    """Send new lines, and the job's state where it changed, until the job has ended."""
    place = parse_place(call.request.headers.get("last-event-id") or call.query("from"))
    if place is None:
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, "This place is none of this log", "Open the page anew"))
    lines = _accepted(follow_job(call.application, call.parameter("job"), place))
    return LiveStream(call, _Live(call, lines).read)


@page("POST", "/jobs/{job}/cancel", "job:cancel", JOB, "job")
def cancel(call: Call) -> Response:
    """Ask a job to stop."""
    job = call.parameter("job")
    call.perform(cancel_job.command(call.who, job=job))
    return call.redirect(f"/jobs/{job}", "job-cancelled")


@page("GET", "/jobs/{job}/files/{attempt}/{path:path}", "artifact:read", JOB, "job")
def send_file(call: Call) -> Response:
    """Send a file that the job left: always as a download, never as something a browser would run."""
    attempt = call.parameter("attempt")
    kept = find_kept_file(call.application, call.parameter("job"), attempt, call.parameter("path"))
    if kept is None:
        raise Refused(ABSENT)
    if isinstance(kept, Refusal):
        raise Refused(kept)
    name = quote(kept.path.rsplit("/", 1)[-1], safe="")
    headers = {
        "Content-Length": str(kept.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(kept.sha256)).decode()}:",
        "Cache-Control": "no-store",
    }
    pieces = _accepted(keeper_of(call.application)).read_artifact(attempt, kept.path)
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


class _Live:
    """Reads what is new of a job: lines, and the status panel as HTML where it changed."""

    def __init__(self, call: Call, lines: JobLines) -> None:
        self._call, self._lines, self._shown = call, lines, ""
        self._row: Row | None = None
        self._due_s = 0.0

    def read(self) -> tuple[Sequence[Event], bool]:
        found, ended = self._lines.read(LINES_AT_ONCE)
        events = [Event("line", _shown_line(one), one.place) for one in found]
        html = self._status_html()
        if html != self._shown:
            self._shown = html
            events.append(Event("status", {"html": html}))
        if ended is not None:
            events.append(Event("end", {}))
        return events, ended is not None

    def _status_html(self) -> str:
        """Return the panel: made again when the job has changed, else only now and then, since it asks the one writer."""
        row, now_s = _row(self._call), time.monotonic()
        if row == self._row and now_s < self._due_s:
            return self._shown
        self._row, self._due_s = row, now_s + STATUS_S
        return self._call.host.rendering.html(self._call.view(), "jobs/status.html", (), _status(self._call, row))


def _status(call: Call, row: Row) -> dict[str, Any]:
    """Return what the status panel shows: state, why, cost, attempts."""
    cost = report_cost.of_job(call.application.reader, row["job"])
    running = call.application.ask(running_cost.question(job=row["job"])).result()
    return {"job": row, "why": _why(call, row), "cost": cost, "running_cost": running, "energy": _energy(call, row["job"])}


def _energy(call: Call, job: str) -> dict[str, Any]:
    is_complete = call.application.ask(report_energy.is_complete(job)).result()
    return {**(report_energy.of_job(call.application.reader, job) or {}), "is_complete": is_complete}


def _why(call: Call, row: Row) -> dict[str, Any]:
    answer = call.application.ask(explain_job.question(job=row["job"])).result()
    if answer is not None:
        return {"said": None, **answer}
    return {"reason": row["reason"], "text": "", "said": None, "start_estimated_ms": None, "start_promised_ms": None}


def _row(call: Call) -> Row:
    row = call.application.reader.row("jobs", call.parameter("job"))
    if row is None:
        raise Refused(ABSENT)
    return row


def _lines(call: Call, job: str) -> tuple[list[dict[str, Any]], str]:
    """Return the newest lines that were written so far, and the place behind them."""
    reader = follow_job(call.application, job, (1, 0))
    if isinstance(reader, Refusal):
        return [], ""
    lines: list[OutputLine] = []
    while True:
        found, _ = reader.read(LINES_AT_ONCE * 5)
        if not found:
            return [_shown_line(one) for one in lines], reader.place()
        lines = [*lines, *found][-LINES_SHOWN:]


def _shown_line(one: OutputLine) -> dict[str, Any]:
    text = one.line.text.encode("utf-8", "replace").decode()
    return {"text": text, "stream": one.line.stream, "rank": one.line.rank, "attempt": one.number}


def _files(call: Call, job: str) -> list[dict[str, Any]]:
    found = kept_files(call.application, job)
    if isinstance(found, Refusal):
        return []
    return [{"attempt": attempt, "path": kept.path, "size": kept.size, "sha256": kept.sha256} for attempt, kept in found]


def _may(call: Call, action: str) -> bool:
    return call.may(action, (JOB, call.parameter("job")))


def _accepted(found: Any) -> Any:
    if isinstance(found, Refusal):
        raise Refused(found)
    return found


PAGES = (list_jobs, show_job, follow, cancel, send_file)
NAVIGATION = (NavEntry("/jobs", N_("Jobs"), "project:read", 400),)
