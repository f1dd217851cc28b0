"""`eisbach ps`, `status`, `why`, `cancel`: jobs as a person looks at them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_job, find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say
from eisbach.core.jobs.lifecycle import JobState, Outcome

Json = dict[str, Any]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="Name, id, or the start of an id.")]
Project = Annotated[str | None, typer.Option("--project", "-p", help="The project: name or id.")]
SHOWN = 50
SHORT_ID_MIN = 14
"""Characters: the prefix and the millisecond in which the id was made."""


def ps(
    all_jobs: Annotated[bool, typer.Option("--all", "-a", help="All jobs, not only the newest 50.")] = False,
    state: Annotated[str | None, typer.Option("--state", help="Only jobs in this state, such as running.")] = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """List the jobs of the project."""
    if state is not None and state not in {known.value for known in JobState}:
        raise usage_error(f"--state {state!r} is no state", f"States are {', '.join(known.value for known in JobState)}")
    session = Session()
    place = find_project(session, project)
    path = f"/v1/projects/{place['project']}/jobs"
    if all_jobs:
        jobs, more = list(session.client.pages(path, state=state, limit=1000)), False
    else:
        page = session.client.get(path, state=state, limit=SHOWN)
        jobs, more = page["items"], page.get("next_cursor") is not None
    doc = document("jobs", project=place["project"], jobs=jobs, more=more)
    show(doc, output_format, lambda is_wide: _print_jobs(jobs, place, is_wide))
    if more and output_format in (Format.TABLE, Format.WIDE):
        say(f"These are the newest {SHOWN}; all with `eisbach ps --all`.")


def status(job: JobName, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Show one job with its attempts."""
    session = Session()
    found = find_job(session, job, project)
    attempts = list(session.client.pages(f"/v1/jobs/{found['job']}/attempts"))
    doc = document("job", job=found, attempts=attempts)
    show(doc, output_format, lambda is_wide: _print_job(found, attempts, is_wide))


def why(job: JobName, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Say what a job waits for, or why it ended."""
    session = Session()
    found = find_job(session, job, project)
    reasons = session.client.get(f"/v1/jobs/{found['job']}/why")
    show(document("why", **reasons), output_format, lambda is_wide: _print_why(found, reasons))


def cancel(job: JobName, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Cancel a job: signal, grace, end."""
    session = Session()
    found = find_job(session, job, project)
    answer = session.client.post(f"/v1/jobs/{found['job']}/cancel")
    now = {**found, **answer}
    show(document("job", job=now), output_format, lambda is_wide: print(_cancelled(now)))


def state_words(job: Json) -> str:
    """Return a job's state, or how it ended."""
    outcome = str(job.get("outcome") or "")
    return outcome.replace("_", " ") if outcome else str(job.get("state") or "")


def _state_with_notice(job: Json) -> str:
    """Return the same, and of a job that was given notice when it will be asked to stop."""
    signal_at = job.get("signal_at")
    if not signal_at or datetime.fromisoformat(signal_at) <= datetime.now(UTC):
        return state_words(job)
    return f"stops at {figures.instant(signal_at)}"


def site_words(job: Json) -> str:
    """Return where a job or an attempt is or was; at a simulated site, that nothing was executed."""
    site = str(job.get("site") or "")
    return f"{site} (simulated: nothing was executed)" if job.get("simulated") else site


def short_reason(job: Json) -> str:
    """Return in a word or two what a job waits for; nothing where the state says it all."""
    reason = str(job.get("reason") or "")
    is_ended_well = job.get("outcome") == Outcome.SUCCEEDED.value
    if not reason or is_ended_well or reason.lower() in (str(job.get("outcome")), str(job.get("state"))):
        return ""
    exit_code = job.get("exit_code")
    if job.get("outcome") == Outcome.FAILED.value and exit_code is not None:
        return f"exit {exit_code}"
    return reason.lower().replace("_", " ")


def _print_jobs(jobs: Sequence[Json], place: Json, is_wide: bool) -> None:
    empty = f"No jobs in project {clean(place['name'])}. Start one with `eisbach run FILE.yaml` or `eisbach run -- COMMAND`."
    columns = ["ID", "~NAME", "~STATE", ">N", "STARTED", ">HELD", ">COST", ">CEILING"]
    ids = short_ids([job["job"] for job in jobs])
    rows = [
        [
            shown_id,
            job["name"],
            _state_cell(job),
            str(job["nodes"]),
            figures.instant_short(job["started_at"]),
            figures.duration(held_ms(job)) if job["started_at"] else figures.NOTHING,
            figures.euro_short(job["charged_micro_eur"]),
            figures.euro_short(job["ceiling_micro_eur"]),
        ]
        for shown_id, job in zip(ids, jobs, strict=True)
    ]
    if is_wide:
        columns, rows = _wide_columns(), [_wide_row(job) for job in jobs]
    table(columns, rows, empty=empty)


def _state_cell(job: Json) -> str:
    words = ": ".join(part for part in (_state_with_notice(job), short_reason(job)) if part)
    return f"{words} (simulated)" if job.get("simulated") else words


def _wide_columns() -> list[str]:
    times = ["SUBMITTED", "STARTED", "ENDED"]
    return ["ID", "NAME", "STATE", "WHY", "SITE", ">N", "CLASS", ">ATTEMPTS", *times, ">HELD", ">COST", ">CEILING"]


def _wide_row(job: Json) -> list[str]:
    return [
        job["job"],
        job["name"],
        state_words(job),
        short_reason(job),
        site_words(job),
        str(job["nodes"]),
        job["capacity_class"],
        str(job["attempts"]),
        *(figures.instant(job[f"{what}_at"]) for what in ("submitted", "started", "ended")),
        figures.duration(held_ms(job)) if job["started_at"] else figures.NOTHING,
        figures.euro(job["charged_micro_eur"]),
        figures.euro(job["ceiling_micro_eur"]),
    ]


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return starts of ids, as short as tells them apart: other commands take them for the whole."""
    for length in range(SHORT_ID_MIN, max(map(len, ids), default=0)):
        shortened = [one[:length] for one in ids]
        if len(set(shortened)) == len(ids):
            return shortened
    return list(ids)


def held_ms(job: Json) -> int:
    """Return how long a job has held its nodes: as settled, and while it runs its attempt by this machine's clock."""
    if job.get("state") in (JobState.RUNNING.value, JobState.STOPPING.value) and job.get("running_at"):
        running = datetime.now(UTC) - datetime.fromisoformat(job["running_at"])
        return max(int(job.get("charged_ms") or 0), int(running.total_seconds() * 1000))
    return int(job.get("charged_ms") or 0)


def _print_job(job: Json, attempts: Sequence[Json], is_wide: bool) -> None:
    charged = f"{job.get('charged_eur') or figures.euro(job.get('charged_micro_eur'))} EUR"
    ceiling = f"{job.get('ceiling_eur') or figures.euro(job.get('ceiling_micro_eur'))} EUR"
    exit_code = job.get("exit_code")
    pairs(
        [
            ("job", f"{job.get('name') or ''} ({job['job']})"),
            ("state", state_words(job)),
            ("why", short_reason(job)),
            ("exit code", "" if exit_code is None else str(exit_code)),
            ("nodes", str(job.get("nodes", ""))),
            ("site", site_words(job)),
            ("class", str(job.get("capacity_class") or "")),
            ("submitted", figures.instant(job.get("submitted_at"))),
            ("started", figures.instant(job.get("started_at"))),
            ("ended", figures.instant(job.get("ended_at"))),
            ("charged", f"{charged} of at most {ceiling}"),
        ]
    )
    if attempts:
        print()
        table(*attempt_table(attempts, is_wide))
        for attempt in sorted(attempts, key=lambda one: int(one["number"])):
            if attempt.get("detail"):
                print(f"  {attempt['number']}: {clean(attempt['detail'])}")


def attempt_table(attempts: Sequence[Json], is_wide: bool) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of attempts, oldest first."""
    columns = [">ATTEMPT", "STATE", "FAULT", ">EXIT", "STARTED", ">HELD", ">CHARGED", "~NODES"]
    if is_wide:
        columns += ["SITE", "ID", ">SAVED", ">CPU", ">MEMORY"]
    rows = []
    for attempt in sorted(attempts, key=lambda one: int(one["number"])):
        exit_code = attempt.get("exit_code")
        fault = str(attempt.get("fault") or "")
        nodes = attempt.get("nodes") or []
        row = [
            str(attempt["number"]),
            state_words(attempt),
            "" if fault == "none" else fault,
            figures.NOTHING if exit_code is None else str(exit_code),
            figures.instant(attempt.get("running_at")),
            figures.duration(attempt.get("held_ms")),
            str(attempt.get("charged_eur") or figures.euro(attempt.get("charged_micro_eur"))),
            nodes if isinstance(nodes, str) else " ".join(nodes),
        ]
        if is_wide:
            peak = attempt.get("memory_peak_mib")
            row += [site_words(attempt), attempt["attempt"], figures.duration(attempt.get("saved_ms") or None), figures.duration(attempt.get("cpu_ms")), figures.memory(peak) if peak else "-"]
        rows.append(row)
    return columns, rows


def _print_why(job: Json, reasons: Json) -> None:
    name = clean(job.get("name") or job["job"])
    state = "" if reasons["state"] == JobState.ENDED.value else f" is {reasons['state']}"
    print(f"{name}{state}: {clean(reasons['detail'])}")
    if reasons.get("share"):
        print(f"{clean(reasons['share'])}.")
    if reasons.get("late"):
        print(f"{clean(reasons['late'])}.")
    if reasons["start_promised_at"]:
        print(f"It starts no later than {figures.instant(reasons['start_promised_at'])} (a promise).")
    elif reasons["start_estimated_at"] and reasons["state"] == JobState.WAITING.value:
        print(f"It starts about {figures.instant(reasons['start_estimated_at'])} (an estimate).")


def _cancelled(job: Json) -> str:
    name = clean(job.get("name") or job["job"])
    if job.get("state") == JobState.ENDED.value:
        return f"{name} is cancelled."
    return f"{name} is asked to stop; it gets its grace to save. Watch it with `eisbach status {job['job']}`."
