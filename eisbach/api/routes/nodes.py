"""Nodes: list, drain, resume."""

from typing import Annotated

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas, schemas_sites
from eisbach.api.access import FACTORY, NODE, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform
from eisbach.app import drain_node, observe_factory

router = APIRouter(route_class=GuardedRoute, tags=["nodes"])


@router.get("/v1/nodes", response_model=schemas_sites.Nodes, summary="List nodes")
@allow("node:read", FACTORY)
def list_nodes(
    call: CallNow,
    site: Annotated[str | None, Query(max_length=63, description="Only nodes at this site.")] = None,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of nodes, the last name first, with what of each is free and which attempts run there."""
    where: dict[str, object] = {} if site is None else {"site": site}
    found = call.application.reader.rows("nodes", where, cursor=cursor, limit=limit)
    loads = call.application.ask(observe_factory.loads([row["node"] for row in found.rows])).result()
    return JsonAnswer(representations.page(found, lambda row: {**row, **loads[row["node"]]}))


@router.post("/v1/nodes/{node}/drain", response_model=schemas.DrainedNode, summary="Drain a node")
@allow("node:drain", NODE, "node")
async def drain(call: CallNow, node: schemas.NodePath) -> Response:
    """Start nothing more on a node; what runs there is asked to save and starts again elsewhere, at our cost."""
    return await perform(call, drain_node.command(call.actor, node=node, drained=True, stop_work=True))


@router.post("/v1/nodes/{node}/resume", response_model=schemas.DrainedNode, summary="Take a node back into use")
@allow("node:drain", NODE, "node")
async def resume(call: CallNow, node: schemas.NodePath) -> Response:
    """Start work on a node again."""
    return await perform(call, drain_node.command(call.actor, node=node, drained=False))
