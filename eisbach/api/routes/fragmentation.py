"""Fragmentation: what is free and in pieces, and what moving aside brought."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas_shares
from eisbach.api.access import FACTORY, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, settled
from eisbach.app import report_fragmentation

router = APIRouter(route_class=GuardedRoute, tags=["shares"])


@router.get("/v1/fragmentation", response_model=schemas_shares.Fragmentation, summary="What is free and in pieces")
@allow("factory:observe", FACTORY)
async def fragmentation(call: CallNow) -> Response:
    """Return free GPUs in pieces by flavour and site with their price, the largest gangs that find their nodes together, and moves."""
    found = await settled(call, call.application.ask(report_fragmentation.question()))
    moves = report_fragmentation.moves(call.application.reader, call.application.clock.now())
    return JsonAnswer({"items": [_item(one) for one in found], "moves": representations.with_money_text(moves)})


def _item(one: representations.Json) -> representations.Json:
    hour = one["in_pieces_hour"]
    priced = {"in_pieces_hour_micro_eur": None, "in_pieces_hour_eur": None} if hour is None else representations.money("in_pieces_hour", hour)
    return {**{name: value for name, value in one.items() if name != "in_pieces_hour"}, **priced}
