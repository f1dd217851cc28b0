"""Organisations: create, list, look at."""

from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api.access import FACTORY, ORGANISATION, OWN, CallNow, GuardedRoute, Place, allow, located_id
from eisbach.api.answers import JsonAnswer, perform
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.visible import organisations_of
from eisbach.app import create_organisation

router = APIRouter(route_class=GuardedRoute, tags=["organisations"])


def _parent(body: Mapping[str, Any]) -> Place:
    """An organisation is created inside its parent, or at the root of the factory."""
    if body.get("parent") is None:
        return FACTORY, None
    return ORGANISATION, located_id(body, "parent")


@router.post(
    "/v1/organisations", status_code=201, response_model=schemas.Organisation, summary="Create an organisation"
)
@allow("organisation:create", located_by=_parent)
async def create(call: CallNow, new: schemas.NewOrganisation) -> Response:
    """Create an organisation, at the root or inside another one."""
    command = create_organisation.command(call.actor, name=new.name, parent=new.parent, segment=new.segment)
    return await perform(call, command, 201, representations.organisation)


@router.get("/v1/organisations", response_model=schemas.Organisations, summary="List organisations")
@allow("organisation:read", OWN)
def list_organisations(call: CallNow, cursor: schemas.Cursor = None, limit: schemas.Limit = 100) -> Response:
    """Return a page of the organisations the caller may see, newest first."""
    seen = organisations_of(call)
    where: dict[str, object] = {} if seen is None else {"organisation": seen}
    found = call.application.reader.rows("organisations", where, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.organisation))


@router.get(
    "/v1/organisations/{organisation}", response_model=schemas.Organisation, summary="Look at an organisation"
)
@allow("organisation:read", ORGANISATION, "organisation")
def read(call: CallNow, organisation: schemas.OrganisationPath) -> Response:
    """Return an organisation."""
    row = call.application.reader.row("organisations", organisation)
    if row is None:
        raise Problem(ABSENT)
    return JsonAnswer(representations.organisation(row))
