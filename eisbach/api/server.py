"""The API as an ASGI application: all routes, each behind its action, and the errors they answer with."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRouter
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from eisbach import __version__
from eisbach.api.access import GuardedRoute
from eisbach.api.envelope import Envelope
from eisbach.api.errors import PROBLEM_JSON, handle_problems
from eisbach.api.host import Host
from eisbach.api.hot_route import HotRoute
from eisbach.api.representations import encode
from eisbach.api.routes import (
    archives,
    artifacts,
    audit,
    bookings,
    closures,
    data_sets,
    energy,
    exits,
    factory,
    fragmentation,
    invoices,
    jobs,
    nodes,
    organisations,
    output,
    policy,
    portal_links,
    prices,
    projects,
    promises,
    scheduler,
    shares,
    sites,
    tokens,
    uploads,
)
from eisbach.api.routes import secrets as secret_routes
from eisbach.api.schemas import ProblemDetails
from eisbach.app.application import Application
from eisbach.core.jobs.task_file import TaskDefaults

ROUTERS: Sequence[APIRouter] = (
    jobs.router,  # first: routes are tried in order, and submissions are the most
    output.router,
    artifacts.router,
    archives.router,
    data_sets.router,
    uploads.router,
    projects.router,
    organisations.router,
    invoices.router,
    prices.router,
    tokens.router,
    portal_links.router,
    secret_routes.router,
    nodes.router,
    closures.router,
    sites.router,
    energy.router,
    promises.router,
    policy.router,
    shares.router,
    fragmentation.router,
    bookings.router,
    scheduler.router,
    exits.router,
    audit.router,
    factory.router,
)


def create_app(application: Application, task_defaults: TaskDefaults | None = None) -> FastAPI:
    """Return the API of an application; raise TypeError where a route names no action."""
    app = _Api(
        title="Eisbach",
        version=__version__,
        openapi_url=None,  # served by a route of ours, which names its action like all others
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.host = Host(application, task_defaults or TaskDefaults())
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    check_routes(app.router.routes)
    handle_problems(app)
    app.state.openapi = lru_cache(maxsize=1)(lambda: encode(openapi_of(app)))  # a fifth of a second: only when asked
    return app


class _Api(FastAPI):
    """FastAPI with the envelope around everything, so that the answer to an unforeseen error has it too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call as Starlette does: FastAPI's own telemetry reads the environment at each call."""
        await Starlette.__call__(self, scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        submissions = next(route for route in jobs.router.routes if isinstance(route, GuardedRoute) and route.access.raw)
        return Envelope(HotRoute(super().build_middleware_stack(), self, submissions, "POST"))


def check_routes(routes: Sequence[BaseRoute]) -> None:
    """Raise TypeError where a route is not guarded: nothing may be served that names no action."""
    for route in routes:
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"{getattr(route, 'path', route)!r} names no action and must not be served")


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the app's routes."""
    document = get_openapi(
        title="Eisbach",
        version="1",
        summary="The operating system of a sovereign AI factory.",
        description="Money is in integer micro-euro, instants are RFC 3339 in UTC. `/v1` only grows.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
    )
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The secret of a token."}
    }
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document["components"]["schemas"]
    schemas.update(problem.pop("$defs"))
    schemas["ProblemDetails"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for route in app.routes:
        if isinstance(route, GuardedRoute) and route.include_in_schema:
            for method in route.methods or ():
                _document_problems(document["paths"][route.path_format.replace(":path", "")][method.lower()], route)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _document_problems(operation: dict[str, Any], route: GuardedRoute) -> None:
    """Say which problems a route may answer with."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for status, what in _problems_of(route).items():
        operation["responses"][str(status)] = {"description": what, "content": content}


def _problems_of(route: GuardedRoute) -> dict[int, str]:
    problems: dict[int, str] = {}
    access = route.access
    is_writing = bool((route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"})
    takes_body = route.body_field is not None or access.raw or access.takes_stream
    if not access.is_public:
        problems |= {401: "No valid token.", 403: "Not permitted."}
    if access.named_by or access.located_by is not None or "{" in route.path:
        problems |= {404: "Nothing under this id, or it may not be seen."}
    if takes_body:
        problems |= {400: "The body is not JSON.", 413: "The body is too large.", 415: "The body is not sent as JSON."}
    if is_writing:
        problems |= {409: "In conflict with the state of things.", 507: "The factory's disk is full."}
    if not access.is_public:
        problems |= {422: "Understood and refused as it stands."}
    problems |= {500: "The factory failed.", 503: "Not now; try again."}
    return problems
