"""Projects: create, list, look at, set the budget, and what a project and its jobs cost."""

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api.access import JOB, ORGANISATION, OWN, PROJECT, Call, CallNow, GuardedRoute, Place, allow, located_id
from eisbach.api.answers import JsonAnswer, perform, reply_to, settled
from eisbach.api.errors import ABSENT, Problem
from eisbach.app import create_project, export_focus, list_bookings, report_cost, set_budget
from eisbach.app.state import FactoryState
from eisbach.app.visible import which_projects
from eisbach.core.vocabulary.interval import month_of

router = APIRouter(route_class=GuardedRoute, tags=["projects"])

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "CSV with a header, UTF-8.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


def _owner(body: Mapping[str, Any]) -> Place:
    return ORGANISATION, located_id(body, "organisation")


@router.post("/v1/projects", status_code=201, response_model=schemas.Project, summary="Create a project")
@allow("project:create", located_by=_owner)
async def create(call: CallNow, new: schemas.NewProject) -> Response:
    """Create a project inside an organisation, with the budget of a calendar month."""
    command = create_project.command(
        call.actor, organisation=new.organisation, name=new.name, budget_micro_eur=new.budget_micro_eur
    )
    return await perform(call, command, 201, representations.project)


@router.get("/v1/projects", response_model=schemas.Projects, summary="List projects")
@allow("project:read", OWN)
def list_projects(call: CallNow, cursor: schemas.Cursor = None, limit: schemas.Limit = 100) -> Response:
    """Return a page of the projects the caller may see, newest first."""
    where = which_projects(call.application.reader, call.actor)
    found = call.application.reader.rows("projects", where, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.project))


@router.get("/v1/projects/{project}", response_model=schemas.ProjectWithAccount, summary="Look at a project")
@allow("project:read", PROJECT, "project")
async def read(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Return a project and its account: the month's budget, and what of it is reserved, charged and available."""
    return JsonAnswer(await _with_account(call, project))


@router.patch(
    "/v1/projects/{project}", response_model=schemas.ProjectWithAccount, summary="Set the budget of a project"
)
@allow("project:budget", PROJECT, "project")
async def change(call: CallNow, project: schemas.ProjectPath, new: schemas.NewBudget) -> Response:
    """Set the monthly budget from now on. What it no longer covers is stopped, the newest first (`stopping`)."""
    command = set_budget.command(call.actor, project=project, budget_micro_eur=new.budget_micro_eur)
    reply = await reply_to(call, command)
    return JsonAnswer({**await _with_account(call, project), "stopping": reply["stopping"]})


@router.get("/v1/projects/{project}/cost", response_model=schemas.ProjectCost, summary="What a project cost in a month")
@allow("cost:read", PROJECT, "project")
def project_cost(call: CallNow, project: schemas.ProjectPath, period: schemas.Period = None) -> Response:
    """Return a month's account of a project and each job that was charged in it, the dearest first."""
    now = call.application.clock.now()
    this_month = month_of(now)
    statement = report_cost.of_project(call.application.reader, project, period or this_month, this_month)
    bookings = [one | list_bookings.by_the_clock(one, now) for one in statement["bookings"]]
    return JsonAnswer(representations.project_cost({**statement, "bookings": bookings}))


@router.get(
    "/v1/projects/{project}/focus.csv", response_class=Response, responses=_CSV, summary="A month's costs as FOCUS 1.2"
)
@allow("cost:read", PROJECT, "project")
def focus(call: CallNow, project: schemas.ProjectPath, period: schemas.Period = None) -> Response:
    """Send a month's costs of a project in the columns of FOCUS 1.2; their sum is the ledger's."""
    application, reader = call.application, call.application.reader
    row = reader.row("projects", project)
    owner = reader.row("organisations", row["organisation"]) if row is not None else None
    if row is None or owner is None:
        raise Problem(ABSENT)
    month = period or month_of(application.clock.now())
    issuer = application.office.seller.name if application.office is not None else ""
    written = StringIO(newline="")
    csv.writer(written).writerows(export_focus.csv_lines(export_focus.rows_of(reader, row, owner, month, issuer)))
    headers = {"Content-Disposition": f'attachment; filename="focus-{month}.csv"'}
    return Response(written.getvalue().encode(), headers=headers, media_type="text/csv")


@router.get("/v1/jobs/{job}/cost", response_model=schemas.JobCost, summary="What a job cost")
@allow("cost:read", JOB, "job")
def job_cost(call: CallNow, job: schemas.JobPath) -> Response:
    """Return what a job was charged, by attempt: held, charged, and the ledger's transfers behind it."""
    statement = report_cost.of_job(call.application.reader, job)
    if statement is None:
        raise Problem(ABSENT)
    return JsonAnswer(representations.job_cost(statement))


async def _with_account(call: Call, project: str) -> representations.Json:
    def ask(state: FactoryState, now: int) -> dict[str, int | str] | None:
        return create_project.figures(state, project, now) if project in state.projects else None

    figures = await settled(call, call.application.ask(ask))
    row = call.application.reader.row("projects", project)
    if figures is None or row is None:
        raise Problem(ABSENT)
    return {**representations.project(row), **representations.account(figures)}
