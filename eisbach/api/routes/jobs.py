"""Jobs: submit, plan, list, look at, ask why, cancel."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api.access import JOB, PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, reply_to, settled
from eisbach.api.bodies import decode_json, require_json
from eisbach.api.errors import ABSENT, Problem, invalid
from eisbach.app import cancel_job, check_references, explain_job, quote_job, submit_job
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import parse_task
from eisbach.core.vocabulary.reasons import Reason, Refusal

router = APIRouter(route_class=GuardedRoute, tags=["jobs"])

_TASK_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.NewJob.model_json_schema()}},
    },
}
State = Literal["waiting", "starting", "running", "stopping", "ended"]


@router.post(
    "/v1/projects/{project}/jobs",
    status_code=202,
    response_model=schemas.AcceptedJob,
    openapi_extra=_TASK_BODY,
    summary="Submit a job",
)
@allow("job:submit", PROJECT, "project", raw=True)
async def submit(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Accept a job for good: once this answers 202, the job will run or end with a reason, whatever happens."""
    command = submit_job.command(call.actor, project=project, spec=await _spec_of(call, project))
    return await perform(call, command, 202, representations.accepted_job)


@router.post(
    "/v1/projects/{project}/plans",
    response_model=schemas.Plan,
    openapi_extra=_TASK_BODY,
    summary="Ask what a job would cost and when it would start",
)
@allow("job:plan", PROJECT, "project", raw=True)
async def plan(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Return price, ceiling and earliest start of a task, or why it would be refused. Nothing is kept."""
    spec = await _spec_of(call, project)
    try:
        answer = await settled(call, call.application.ask(quote_job.question(project=project, spec=spec, by=call.actor.token)))
    except Problem as problem:
        if problem.refusals[0].reason is Reason.RESIDENCY_FORBIDDEN:  # whoever asks for a forbidden place finds it in the log
            await reply_to(call, quote_job.refuse(call.actor, project=project, spec=spec))
        raise
    return JsonAnswer(representations.plan(answer))


@router.get("/v1/projects/{project}/jobs", response_model=schemas.Jobs, summary="List the jobs of a project")
@allow("job:read", PROJECT, "project")
def list_jobs(
    call: CallNow,
    project: schemas.ProjectPath,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    name: Annotated[schemas.Name | None, Query(description="Only jobs of this name.")] = None,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of jobs, newest first."""
    where: dict[str, object] = {"project": project}
    if state is not None:
        where["state"] = state
    if name is not None:
        where["name"] = name
    found = call.application.reader.rows("jobs", where, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.job))


@router.get("/v1/jobs/{job}", response_model=schemas.JobWithTask, summary="Look at a job")
@allow("job:read", JOB, "job")
def read_job(call: CallNow, job: schemas.JobPath) -> Response:
    """Return a job and the task as it was accepted (null once erased)."""
    spec = call.application.reader.text(f"{job}/spec")
    task: Any = msgspec.json.decode(spec.content) if spec is not None and spec.content else None
    return JsonAnswer({**representations.job(_row(call, job)), "task": task})


@router.get("/v1/jobs/{job}/why", response_model=schemas.Why, summary="Ask why a job is where it is")
@allow("job:read", JOB, "job")
async def why(call: CallNow, job: schemas.JobPath) -> Response:
    """Return the job's state, the reason, and in words what it waits for, with numbers computed now."""
    answer = await settled(call, call.application.ask(explain_job.question(job=job)))
    if answer is not None:
        return JsonAnswer(representations.why(answer))
    row = _row(call, job)
    last = call.application.reader.row("attempts", row["last_attempt"]) if row["last_attempt"] else None
    return JsonAnswer(representations.why_ended(row, last))


@router.get("/v1/jobs/{job}/attempts", response_model=schemas.Attempts, summary="List the attempts of a job")
@allow("job:read", JOB, "job")
def list_attempts(
    call: CallNow, job: schemas.JobPath, cursor: schemas.Cursor = None, limit: schemas.Limit = 100
) -> Response:
    """Return a page of attempts, newest first."""
    found = call.application.reader.rows("attempts", {"job": job}, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.attempt))


@router.post("/v1/jobs/{job}/cancel", status_code=202, response_model=schemas.CancelledJob, summary="Cancel a job")
@allow("job:cancel", JOB, "job")
async def cancel(call: CallNow, job: schemas.JobPath) -> Response:
    """Ask a job to stop: it gets its checkpoint signal and its grace, then it ends."""
    return await perform(call, cancel_job.command(call.actor, job=job), 202)


async def _spec_of(call: Call, project: str) -> JobSpec:
    """Return the specification in the body; raise Problem with everything that is wrong with it."""
    require_json(call.request)
    body = decode_json(call.request.read)
    if not isinstance(body, dict) or "task" not in body:
        raise invalid("The body has no `task`", 'Send {"task": {...}} with the keys of a task file', "task")
    if len(body) > 1:
        unknown = next(key for key in body if key != "task")
        raise Problem(Refusal(Reason.UNKNOWN_KEY, f"{unknown!r} is not known here", "Leave it out", unknown))
    spec = parse_task(body["task"], defaults=call.host.task_defaults)
    if not isinstance(spec, JobSpec):
        raise Problem(*spec)
    if check_references.has_references(spec):
        checked = await asyncio.to_thread(check_references.checked, call.application, project, spec)
        if not isinstance(checked, JobSpec):
            raise Problem(*checked, status=422)
        return checked
    return spec


def _row(call: Call, job: str) -> dict[str, Any]:
    row = call.application.reader.row("jobs", job)
    if row is None:
        raise Problem(ABSENT)
    return row
