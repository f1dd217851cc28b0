"""Closures: maintenance windows and drains with a deadline."""

from typing import Annotated, Literal

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas, schemas_sites
from eisbach.api.access import FACTORY, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform
from eisbach.api.representations import Json, with_instants
from eisbach.api.routes.nodes import UNKNOWN, targets_of
from eisbach.app import close_nodes
from eisbach.core.capacity.health import NEVER_MS

router = APIRouter(route_class=GuardedRoute, tags=["nodes"])
States = Literal["announced", "begun", "over", "cancelled", "drained"]


@router.get("/v1/closures", response_model=schemas_sites.Closures, summary="List maintenance windows and drains")
@allow("node:read", FACTORY)
def list_closures(
    call: CallNow,
    state: Annotated[States | None, Query(description="Only those that are so.")] = None,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of closures, the one announced last first."""
    where: dict[str, object] = {} if state is None else {"state": state}
    return JsonAnswer(representations.page(call.application.reader.rows("closures", where, cursor=cursor, limit=limit), _listed))


@router.post(
    "/v1/closures",
    status_code=201,
    response_model=schemas_sites.AnnouncedClosure,
    responses=UNKNOWN,
    summary="Announce that nodes close",
)
@allow("node:close", FACTORY)
async def announce(call: CallNow, new: schemas_sites.NewClosure) -> Response:
    """Announce a maintenance window, or a drain by a deadline: nothing is placed over it, what would overrun it leaves in time."""
    command = close_nodes.command(
        call.actor, targets=targets_of(new), from_ms=new.from_ms, length_ms=new.length_ms, note=new.note, is_forced=new.force
    )
    return await perform(call, command, 201, show=with_instants)


@router.post("/v1/closures/{closure}/cancel", response_model=schemas_sites.CancelledClosure, summary="Cancel a closure")
@allow("node:close", FACTORY)
async def cancel(call: CallNow, closure: schemas.ClosurePath) -> Response:
    """Cancel a closure before it begins, or end it early: its nodes take work again."""
    return await perform(call, close_nodes.cancel(call.actor, closure=closure))


def _listed(row: Json) -> Json:
    until_ms = row["until_ms"] if row["until_ms"] != NEVER_MS else None
    told: Json = with_instants({**row, "until_ms": until_ms})
    return {**told, "nodes": row["nodes"].split()}
