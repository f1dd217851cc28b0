"""Who may call a route: every route names its action, and nothing runs before a policy has permitted it."""

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eisbach.api.bodies import CheckedRequest, decode_json, read_body, require_json
from eisbach.api.errors import Problem, invalid
from eisbach.api.host import NOBODY, Host
from eisbach.app.application import Application
from eisbach.app.authorise import (
    BOOKING,
    DATA,
    FACTORY,
    INVOICE,
    JOB,
    LOG,
    NODE,
    ORGANISATION,
    OWN,
    PROJECT,
    TOKEN,
    Place,
    authorise,
    is_id,
)
from eisbach.app.commands import Actor, IdempotencyKey
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.authoriser import Resource

__all__ = [
    "BOOKING", "DATA", "FACTORY", "INVOICE", "JOB", "LOG", "NODE", "ORGANISATION", "OWN", "PROJECT", "TOKEN", "Access", "Call", "CallNow",
    "GuardedRoute", "Place", "admit", "allow", "is_id", "located_id", "public",
]  # fmt: skip

JSON_BYTES_MAX = 1024 * 1024
WRITING = frozenset({"POST", "PUT", "PATCH"})
SECRET_LENGTH_MAX = 512
PAGING = frozenset({"cursor", "limit"})
"""What lists that come in pages take."""
SIMULATED = b"eisbach-simulated"
"""The header that names the sites where nothing is executed."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a route asks of its caller.

    `named_by` is the path parameter with the id of what the call is about; `located_by` finds it in the decoded body
    instead. `is_public` asks nobody anything. A `raw` endpoint is called with the Call and the path parameters
    alone. A route that `takes_stream` reads its body itself.
    """

    action: str
    kind: str = FACTORY
    named_by: str = ""
    located_by: Callable[[Mapping[str, Any]], Place] | None = None
    is_public: bool = False
    raw: bool = False
    takes_stream: bool = False


@dataclass(slots=True)
class Call:
    """An admitted call: who asks, about what, with which body and idempotency key, and how to reach the factory."""

    host: Host
    request: CheckedRequest
    actor: Actor
    resource: Resource
    secret: str = ""

    @property
    def application(self) -> Application:
        return self.host.application

    def key(self, body_digest: str | None = None) -> IdempotencyKey | None:
        """Return the idempotency key the client sent, or None; raise Problem where it is none."""
        key = self.request.header(b"idempotency-key")
        if key is None:
            return None
        if not _KEY.match(key):
            do = "Send 1 to 255 visible ASCII characters, best a random UUID"
            raise invalid("The Idempotency-Key cannot be one", do, "Idempotency-Key")
        owner = self.resource.project or (self.resource.organisations or (self.actor.token,))[0]
        scope = f"{owner} {self.request.method} {self.request.scope['path']}"
        digest = body_digest or sha256(self.request.read).hexdigest()
        return IdempotencyKey(scope=scope, key=key, body_digest=digest)


def allow(
    action: str,
    kind: str = FACTORY,
    named_by: str = "",
    *,
    located_by: Callable[[Mapping[str, Any]], Place] | None = None,
    raw: bool = False,
    takes_stream: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Say which action an endpoint is, and on what. The one way to let anybody in."""
    access = Access(
        action=action, kind=kind, named_by=named_by, located_by=located_by, raw=raw, takes_stream=takes_stream
    )
    return _marked(access)


def public() -> Callable[[Endpoint], Endpoint]:
    """Say that an endpoint is open to everybody."""
    return _marked(Access(action="public", is_public=True))


def _marked(access: Access) -> Callable[[Endpoint], Endpoint]:
    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["access"] = access
        return endpoint

    return mark


async def _current_call(request: Request) -> Call:
    call = request.scope["eisbach.call"]
    assert isinstance(call, Call)
    return call


CallNow = Annotated[Call, Depends(_current_call)]
"""The type of an endpoint's parameter that receives the admitted call."""


class GuardedRoute(APIRoute):
    """A route that admits the caller before anything else; it cannot be made without an action."""

    access: Access

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        access = getattr(endpoint, "access", None)
        if not isinstance(access, Access):
            raise TypeError(f"{path}: the route names no action; put @allow(...) or @public() on {endpoint.__name__}")
        self.access = access
        extra = {"x-eisbach-action": access.action, **(settings.pop("openapi_extra", None) or {})}
        if not access.is_public:
            extra.setdefault("security", [{"bearer": []}])
        super().__init__(path, endpoint, openapi_extra=extra, **settings)
        if access.raw:
            self.app = self._call_raw

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler of this route behind the admission."""
        answer = super().get_route_handler()
        access, takes_json = self.access, self.body_field is not None
        known = frozenset(one.alias for one in self.dependant.query_params)

        async def guarded(request: Request) -> Response:
            call = await admit(access, request.scope, request.receive)
            if request.scope["query_string"] and not access.is_public:
                _refuse_unknown(request, known)
            if call.request.read and takes_json:
                require_json(call.request)
            request.scope["eisbach.call"] = call
            return _labelled(call, await answer(call.request))

        return guarded

    async def _call_raw(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer without FastAPI's machinery around dependencies and bodies: for the hottest route."""
        call = await admit(self.access, scope, receive)
        response: Response = await self.endpoint(call=call, **scope["path_params"])
        await _labelled(call, response)(scope, receive, send)


def _labelled(call: Call, response: Response) -> Response:
    """Return an answer that names the simulated sites of the factory in a header, so that none goes without its label."""
    sites = () if call.actor is NOBODY else call.application.simulated_sites()
    if sites:
        response.raw_headers.append((SIMULATED, ", ".join(map(quote, sites)).encode()))
    return response


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """A misspelt name in the query would silently be without effect, as one in a body would."""
    name = next((one for one in request.query_params if one not in known), None)
    if name is not None:
        names = f"Known in the query are {', '.join(sorted(known))}" if known else "Leave the query out: nothing is known in it"
        if name in PAGING and PAGING.isdisjoint(known):
            names = f"What is here is told at once and not in pages. {names}"
        raise Problem(Refusal(Reason.UNKNOWN_KEY, f"{name[:60]!r} is not known here", names, name[:60]))


async def admit(access: Access, scope: Scope, receive: Receive) -> Call:
    """Return the call once a policy has permitted it; raise Problem with 401, 403, 404, 413 or 422 otherwise."""
    host: Host = scope["app"].state.host
    request = CheckedRequest(scope, receive)
    if access.is_public:
        return Call(host, request, NOBODY, Resource(FACTORY))
    secret = bearer_secret(request)
    actor = host.application.actor_of(secret) if secret else None
    if actor is None:
        raise unauthenticated(bool(secret))
    place: Place = (access.kind, scope["path_params"].get(access.named_by))
    if access.located_by is None:
        resource = _permitted(access, host, actor, place)
    if scope["method"] in WRITING and not access.takes_stream:
        request.read = await read_body(request, JSON_BYTES_MAX)
    if access.located_by is not None:
        resource = _permitted(access, host, actor, access.located_by(_json_object(request.read)))
    return Call(host, request, actor, resource, secret)


def bearer_secret(request: CheckedRequest) -> str:
    """Return the secret of the request's bearer token (RFC 6750), empty where it brings none."""
    scheme, _, secret = (request.header(b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or len(secret) > SECRET_LENGTH_MAX:
        return ""
    return secret.strip()


def unauthenticated(had_secret: bool) -> Problem:
    """Return the 401 of a call without a valid token."""
    what = "The token is unknown, expired or revoked" if had_secret else "The request brings no token"
    do = "Send `Authorization: Bearer <secret>` with the secret of a valid token; `eisbach token create` makes one"
    challenge = 'Bearer realm="eisbach", error="invalid_token"' if had_secret else 'Bearer realm="eisbach"'
    return Problem(Refusal(Reason.UNAUTHENTICATED, what, do), headers={"WWW-Authenticate": challenge})


def located_id(body: Mapping[str, Any], field: str) -> str:
    """Return the id in a field of the body; raise Problem where there is none."""
    value = body.get(field)
    if not isinstance(value, str):
        raise invalid(f"{field}: an id is needed here", "Send it as text", field)
    return value


def _permitted(access: Access, host: Host, actor: Actor, place: Place) -> Resource:
    """Return the resource if the actor may do the action on it; raise Problem with 403 or 404."""
    found = authorise(host.application, actor, access.action, place)
    if isinstance(found, Refusal):
        raise Problem(found)
    return found


def _json_object(body: bytes) -> Mapping[str, Any]:
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise invalid("The body is not a JSON object", "Send an object such as {\"name\": \"...\"}")
    return decoded
