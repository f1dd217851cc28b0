"""Nodes: list, drain, resume."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api.access import FACTORY, NODE, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform
from eisbach.app import drain_node

router = APIRouter(route_class=GuardedRoute, tags=["nodes"])


@router.get("/v1/nodes", response_model=schemas.Nodes, summary="List nodes")
@allow("node:read", FACTORY)
def list_nodes(call: CallNow, cursor: schemas.Cursor = None, limit: schemas.Limit = 100) -> Response:
    """Return a page of nodes, the last name first."""
    found = call.application.reader.rows("nodes", {}, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.node))


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
