"""Sites: where there is capacity, under whose law, and the operator's map of one."""

from typing import Annotated

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas, schemas_sites
from eisbach.api.access import FACTORY, OWN, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, settled
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations import Json, whole
from eisbach.app import list_sites, map_halls

router = APIRouter(route_class=GuardedRoute, tags=["sites"])


@router.get("/v1/sites", response_model=schemas_sites.Sites, summary="List sites")
@allow("site:read", OWN)
async def all_sites(call: CallNow) -> Response:
    """Return every site with its countries and what stands in it."""
    found = await settled(call, call.application.ask(list_sites.question()))
    return JsonAnswer(whole([_with_plant(call, one) for one in found]))


@router.get("/v1/sites/{site}", response_model=schemas_sites.Site, summary="Look at a site")
@allow("site:read", OWN)
async def read(call: CallNow, site: schemas.SitePath) -> Response:
    """Return one site with its countries and what stands in it."""
    found = await settled(call, call.application.ask(list_sites.question_of(site)))
    if found is None:
        raise Problem(ABSENT)
    return JsonAnswer(_with_plant(call, found))


@router.get("/v1/sites/{site}/map", response_model=schemas_sites.SiteMap, summary="The operator's map of a site")
@allow("node:read", FACTORY)
async def site_map(
    call: CallNow,
    site: schemas.SitePath,
    hall: Annotated[str | None, Query(max_length=63, description="Rows, racks and nodes of this hall alone.")] = None,
) -> Response:
    """Return halls, rows, racks and nodes of a site, each with what of it is allocated."""
    found = await settled(call, call.application.ask(map_halls.question(site, hall)))
    if found is None:
        raise Problem(ABSENT)
    refusal = map_halls.no_such_hall(found, hall)
    if refusal is not None:
        raise Problem(refusal)
    return JsonAnswer(found)


def _with_plant(call: Call, site: Json) -> Json:
    """Return a site with what its site file says beyond the log: its links, and whether anything of power, stream and heat."""
    facts = call.application.sites.get(site["site"])
    links = () if facts is None else facts.links
    told = [{"from": link.lower, "to": link.upper, "gbit_s": link.gbit_s, "source": link.source} for link in links]
    return {**site, "links": told, "has_plant": facts is not None and facts.plant is not None}
