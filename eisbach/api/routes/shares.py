"""Fair shares, quotas and agreements: who is due how much, what he had, and what the operator and customers set."""

from typing import Annotated

from fastapi import Path
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas, schemas_shares
from eisbach.api.access import FACTORY, ORGANISATION, OWN, PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, settled
from eisbach.api.representations import Json
from eisbach.api.visible import organisations_of
from eisbach.app import read_shares, set_shares

router = APIRouter(route_class=GuardedRoute, tags=["shares"])
Segment = Annotated[str, Path(description="A segment of customers, such as research.", max_length=64)]


@router.get("/v1/shares", response_model=schemas_shares.Shares, summary="Who is due how much, had how much, and comes when")
@allow("share:read", OWN)
async def shares(call: CallNow) -> Response:
    """Return the branches of the tree of shares that the caller may see, each below its parent."""
    project = call.actor.project
    organisations = None if project is not None else organisations_of(call)
    ask = read_shares.question(organisations=organisations, project=project)
    found = await settled(call, call.application.ask(ask))
    return JsonAnswer({"items": [{**one, "name": _name(call, one)} for one in found]})


@router.put("/v1/segments/{segment}/share", response_model=schemas_shares.SetShare, summary="Set the share of a segment")
@allow("segment:share", FACTORY)
async def share_of_segment(call: CallNow, segment: Segment, new: schemas_shares.NewShare) -> Response:
    """Give a segment its weight among the segments."""
    return await perform(call, set_shares.set_share(call.actor, owner=segment, weight=new.weight))


@router.put(
    "/v1/organisations/{organisation}/share", response_model=schemas_shares.SetShare, summary="Set an organisation's share"
)
@allow("organisation:share", ORGANISATION, "organisation")
async def share_of_organisation(
    call: CallNow, organisation: schemas.OrganisationPath, new: schemas_shares.NewShare
) -> Response:
    """Give an organisation its weight among its siblings: those of its segment, or what stands below the same parent."""
    return await perform(call, set_shares.set_share(call.actor, owner=organisation, weight=new.weight))


@router.put(
    "/v1/organisations/{organisation}/quota", response_model=schemas_shares.SetQuota, summary="Set an organisation's quota"
)
@allow("organisation:quota", ORGANISATION, "organisation")
async def quota_of_organisation(
    call: CallNow, organisation: schemas.OrganisationPath, new: schemas_shares.NewQuota
) -> Response:
    """Set what an organisation may hold at once; what it holds above may be reclaimed by others."""
    return await perform(call, set_shares.set_quota(call.actor, owner=organisation, gpu_milli=new.gpu_milli))


@router.put(
    "/v1/organisations/{organisation}/agreement", response_model=schemas_shares.SetAgreement, summary="Set an agreement"
)
@allow("organisation:agreement", ORGANISATION, "organisation")
async def agreement(
    call: CallNow, organisation: schemas.OrganisationPath, new: schemas_shares.NewAgreement
) -> Response:
    """Set what an organisation has committed to, and which part of the list price it pays for what it submits from now on."""
    command = set_shares.set_agreement(
        call.actor, organisation=organisation, gpu_milli=new.gpu_milli, price_permille=new.price_permille
    )
    return await perform(call, command)


@router.put("/v1/projects/{project}/share", response_model=schemas_shares.SetShare, summary="Set a project's share")
@allow("project:share", PROJECT, "project")
async def share_of_project(call: CallNow, project: schemas.ProjectPath, new: schemas_shares.NewShare) -> Response:
    """Give a project its weight within its organisation."""
    return await perform(call, set_shares.set_share(call.actor, owner=project, weight=new.weight))


@router.put("/v1/projects/{project}/quota", response_model=schemas_shares.SetQuota, summary="Set a project's quota")
@allow("project:quota", PROJECT, "project")
async def quota_of_project(call: CallNow, project: schemas.ProjectPath, new: schemas_shares.NewQuota) -> Response:
    """Set what a project may hold at once; what it holds above may be reclaimed by others."""
    return await perform(call, set_shares.set_quota(call.actor, owner=project, gpu_milli=new.gpu_milli))


def _name(call: Call, branch: Json) -> str:
    """Return the name of a branch as the tables have it; a segment is its own."""
    if branch["scope"] == "segment":
        return str(branch["owner"])
    row = call.application.reader.row(f"{branch['scope']}s", branch["owner"])
    return str(row["name"]) if row is not None else ""
