"""Nodes: list, show, cordon, drain, take back, mark lost, repair."""

from typing import Annotated

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas, schemas_sites
from eisbach.api.access import FACTORY, NODE, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform
from eisbach.api.errors import ABSENT, Problem, documented
from eisbach.api.representations import Json, instant_text, with_instants
from eisbach.app import drain_node, observe_factory, tend_nodes
from eisbach.core.capacity.targets import Targets

HISTORY = ("mark", "node", "what", "cause", "by", "note")
HISTORY_MAX = 50
UNKNOWN = documented(of_404="Nobody knows a node of this name, or at this place.")

router = APIRouter(route_class=GuardedRoute, tags=["nodes"])


@router.get("/v1/nodes", response_model=schemas_sites.Nodes, summary="List nodes")
@allow("node:read", FACTORY)
def list_nodes(
    call: CallNow,
    site: Annotated[str | None, Query(max_length=63, description="Only nodes at this site.")] = None,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of nodes, the last name first, with what of each is free, how it is and which attempts run there."""
    where: dict[str, object] = {} if site is None else {"site": site}
    found = call.application.reader.rows("nodes", where, cursor=cursor, limit=limit)
    loads = call.application.ask(observe_factory.loads([row["node"] for row in found.rows])).result()
    return JsonAnswer(representations.page(found, lambda row: _node(row, loads[row["node"]])))


@router.get("/v1/nodes/{node}", response_model=schemas_sites.NodeDetail, summary="Look at a node")
@allow("node:read", NODE, "node")
def read(call: CallNow, node: schemas.NodePath) -> Response:
    """Return a node with what happened to it, the newest first."""
    reader = call.application.reader
    row, load = reader.row("nodes", node), call.application.ask(observe_factory.loads([node])).result().get(node)
    if row is None or load is None:
        raise Problem(ABSENT)
    history = reader.rows("node_history", {"node": node}, limit=HISTORY_MAX).rows
    labels = {by: _label_of(call, by) for by in {one["by"] for one in history}}
    told = [
        {**{name: one[name] for name in HISTORY}, "by_label": labels[one["by"]], "at": instant_text(one["at_ms"])} for one in history
    ]
    return JsonAnswer({**_node(row, load), "history": told})


@router.post(
    "/v1/node-acts", response_model=schemas_sites.NodesActedOn, responses=UNKNOWN, summary="Cordon, drain, take back or mark nodes"
)
@allow("node:drain", FACTORY)
async def act(call: CallNow, new: schemas_sites.NodeAct) -> Response:
    """Do something with all nodes that are meant, together or not at all; what is so already stays so."""
    command = tend_nodes.command(call.actor, act=tend_nodes.Act(new.act), targets=targets_of(new), note=new.note)
    return await perform(call, command)


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


def _label_of(call: CallNow, token: str) -> str:
    """Return the label of a token, by which people know who it is; empty where there is none (the factory itself)."""
    row = call.application.reader.row("tokens", token)
    return str(row["label"]) if row is not None else ""


def targets_of(said: schemas_sites.NodeTargets) -> Targets:
    """Return which nodes a request means."""
    places = {level: getattr(said, level) for level in ("site", "hall", "row", "rack", "pool")}
    return Targets(names=tuple(said.names), **places)


def _node(row: Json, load: Json) -> Json:
    return {**row, **with_instants(load)}
