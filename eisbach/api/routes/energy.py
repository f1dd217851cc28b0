"""Energy: what jobs, projects and sites drew; the caps on a site's power."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations_energy as representations
from eisbach.api import schemas, schemas_energy
from eisbach.api.access import FACTORY, JOB, OWN, PROJECT, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, settled
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations import Json, instant_text
from eisbach.app import cap_power, report_energy, report_site
from eisbach.app.site_facts import SiteFacts
from eisbach.core.vocabulary.interval import month_of

KW_SAID_MAX = 1e300
"""What is beyond is no number that could be counted in milliwatt; what is refused below it is named as it was said."""
OUTLOOK_HOURS = 24

router = APIRouter(route_class=GuardedRoute, tags=["energy"])


@router.get("/v1/jobs/{job}/energy", response_model=schemas_energy.JobEnergy, summary="What a job drew")
@allow("cost:read", JOB, "job")
async def job_energy(call: CallNow, job: schemas.JobPath) -> Response:
    """Return a job's kWh and CO2: its own work, its shares of idle and overhead, by interval of the meter."""
    is_complete = await settled(call, call.application.ask(report_energy.is_complete(job)))
    statement = report_energy.of_job(call.application.reader, job)
    if statement is None:
        raise Problem(ABSENT)
    return JsonAnswer(representations.job_energy(statement, is_complete))


@router.get(
    "/v1/projects/{project}/energy", response_model=schemas_energy.ProjectEnergy, summary="What a project drew in a month"
)
@allow("cost:read", PROJECT, "project")
def project_energy(call: CallNow, project: schemas.ProjectPath, period: schemas.Period = None) -> Response:
    """Return a project's energy statement of a month: what EnEfG section 15 owes a customer, job by job."""
    wanted = period or month_of(call.application.clock.now())
    return JsonAnswer(representations.project_energy(report_energy.of_project(call.application.reader, project, wanted)))


@router.get("/v1/sites/{site}/energy", response_model=schemas_energy.SiteEnergy, summary="Power, stream and heat of a site")
@allow("site:read", OWN)
async def site_energy(call: CallNow, site: schemas.SitePath, hours: schemas_energy.Hours = 48) -> Response:
    """Return a site's hours, the four figures over them, how it stands now, and the check of this month's meter."""
    application = call.application
    facts = application.sites.get(site)
    if facts is None:
        raise Problem(ABSENT)
    now = await settled(call, application.ask(report_site.now(facts)))
    instant = application.clock.now()
    found = report_site.hours(application.reader, site, instant, hours)
    period = month_of(instant)
    meter = application.meters.get(site)
    return JsonAnswer(
        {
            "site": site,
            "label": report_energy.weakest(one["label"] for one in found),
            "meter": meter.says() if meter is not None else "",
            "now": representations.site_now(now),
            **representations.figures(report_site.energy_of(found)),
            "formulas": representations.FORMULAS,
            "check": representations.check(report_energy.check_of(application.reader, site, period), period),
            "hours": [representations.hour(one) for one in found],
            "outlook": representations.outlook(_outlook(facts, now["drawn_mw"], instant), is_simulated=facts.is_simulated),
        }
    )


@router.post("/v1/sites/{site}/cap", response_model=schemas_energy.Cap, summary="Cap the power of a site")
@allow("site:cap", FACTORY)
async def cap(call: CallNow, site: schemas.SitePath, new: schemas_energy.NewCap) -> Response:
    """Cap what a site draws: spot work gives way first, with signal and grace; nothing starts that would exceed it."""
    draw_mw = round(max(-KW_SAID_MAX, min(new.kw, KW_SAID_MAX)) * 1_000_000) if new.kw is not None else None
    facts = call.application.sites.get(site)
    command = cap_power.command(call.actor, facts, site=site, draw_mw=draw_mw, until_ms=new.until_ms)
    return await perform(call, command, show=_cap)


def _cap(reply: Json) -> Json:
    return {"site": reply["site"], "racks_mw": reply["racks_mw"], "until_at": instant_text(reply["until_ms"])}


def _outlook(facts: SiteFacts, drawn_mw: int, instant: int) -> list[Json]:
    if facts.plant is None:
        return []
    return report_site.outlook(facts.plant, drawn_mw, instant, hours_back=0, hours_ahead=OUTLOOK_HOURS)
