"""Tokens: issue, list, revoke."""

from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api.access import (
    FACTORY,
    ORGANISATION,
    OWN,
    PROJECT,
    TOKEN,
    CallNow,
    GuardedRoute,
    Place,
    allow,
    located_id,
)
from eisbach.api.answers import JsonAnswer, perform, reply_to
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.visible import organisations_of
from eisbach.app import issue_token

router = APIRouter(route_class=GuardedRoute, tags=["tokens"])


def bound_to(body: Mapping[str, Any]) -> Place:
    """A token is issued where it will be valid: nobody can hand out more than what they may do themselves."""
    match body.get("role"):
        case "member" | "viewer":
            return PROJECT, located_id(body, "project")
        case "admin":
            return ORGANISATION, located_id(body, "organisation")
        case _:
            return FACTORY, None


@router.post("/v1/tokens", status_code=201, response_model=schemas.IssuedToken, summary="Issue a token")
@allow("token:create", located_by=bound_to)
async def create(call: CallNow, new: schemas.NewToken) -> Response:
    """Issue a token. Its secret is in this answer and nowhere else, not even in a repeated one."""
    command = issue_token.command(
        call.actor,
        role=new.role,
        organisation=new.organisation,
        project=new.project,
        label=new.label,
        lifetime_ms=new.lifetime_ms,
    )
    return await perform(call, command, 201, representations.issued_token)


@router.get("/v1/tokens", response_model=schemas.Tokens, summary="List tokens")
@allow("token:read", OWN)
def list_tokens(call: CallNow, cursor: schemas.Cursor = None, limit: schemas.Limit = 100) -> Response:
    """Return a page of the tokens the caller may see, newest first, revoked ones included."""
    seen = organisations_of(call)
    where: dict[str, object] = {} if seen is None else {"organisation": seen}
    found = call.application.reader.rows("tokens", where, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, representations.token))


@router.delete("/v1/tokens/{token}", response_model=schemas.Token, summary="Revoke a token")
@allow("token:revoke", TOKEN, "token")
async def revoke(call: CallNow, token: schemas.TokenPath) -> Response:
    """Revoke a token for good. Revoking it again changes nothing."""
    await reply_to(call, issue_token.revoke(call.actor, token=token))
    row = call.application.reader.row("tokens", token)
    if row is None:
        raise Problem(ABSENT)
    return JsonAnswer(representations.token(row))
