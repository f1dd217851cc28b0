"""Fragmentation: what is free and in pieces, and what moving aside brought."""

from typing import Annotated, Literal

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas_shares
from eisbach.api.access import FACTORY, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, settled
from eisbach.app import report_fragmentation, stranded_gpus
from eisbach.core.capacity.topology import Level

router = APIRouter(route_class=GuardedRoute, tags=["shares"])


@router.get("/v1/fragmentation", response_model=schemas_shares.Fragmentation, summary="What is free and in pieces")
@allow("factory:observe", FACTORY)
async def fragmentation(call: CallNow) -> Response:
    """Return free GPUs in pieces by flavour and site with their price, the largest gangs that find their nodes together, and moves."""
    found = await settled(call, call.application.ask(report_fragmentation.question()))
    moves = report_fragmentation.moves(call.application.reader, call.application.clock.now())
    return JsonAnswer({"items": [_item(one) for one in found], "moves": representations.with_money_text(moves)})


@router.get("/v1/fragmentation/stranded", response_model=schemas_shares.StrandedGpus, summary="What is free and of no use to who asks")
@allow("factory:observe", FACTORY)
async def stranded(
    call: CallNow, level: Annotated[Literal["rack", "row", "hall"], Query(description="By which domains.")] = "hall"
) -> Response:
    """Return by pool and by domain how many GPUs are free, how many of them nobody could use who asks, and what that costs."""
    found = await settled(call, call.application.ask(stranded_gpus.question(Level(level))))
    parts = {name: [_stranded(one) for one in found[name]] for name in ("pools", "domains")}
    return JsonAnswer({**found, **parts})


def _stranded(one: representations.Json) -> representations.Json:
    plain = {name: value for name, value in one.items() if name != "lost_hour"}
    return {**plain, **representations.money("lost_hour", one["lost_hour"])}


def _item(one: representations.Json) -> representations.Json:
    hour = one["in_pieces_hour"]
    priced = {"in_pieces_hour_micro_eur": None, "in_pieces_hour_eur": None} if hour is None else representations.money("in_pieces_hour", hour)
    return {**{name: value for name, value in one.items() if name != "in_pieces_hour"}, **priced}
