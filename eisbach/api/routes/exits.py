"""Leaving and coming: everything of an organisation as one package, and a package of another factory."""

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response, StreamingResponse

from eisbach.api import schemas_exit as schemas
from eisbach.api.access import FACTORY, ORGANISATION, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, accepted
from eisbach.api.bodies import stream_body
from eisbach.api.errors import Problem
from eisbach.api.representations import Json, instant_text
from eisbach.app import compare_import, export_organisation, import_organisation
from eisbach.app.compare_import import Comparison
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["leaving"])

PACKAGE_BYTES_MAX = 1024**4
PIECE_BYTES = 1 << 20
TAR = "application/x-tar"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PACKAGE: dict[int | str, dict[str, Any]] = {200: {"description": "A package, eisbach-export/1.", "content": {TAR: _BINARY}}}
_UPLOAD = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}


@router.post(
    "/v1/organisations/{organisation}/exports",
    response_class=Response,
    responses=_PACKAGE,
    summary="Export everything of an organisation",
)
@allow("organisation:export", ORGANISATION, "organisation")
def export(call: CallNow, organisation: schemas.OrganisationPath) -> Response:
    """Send one package of everything that is the organisation's, as of a signed head; the log notes who took it."""
    begun = export_organisation.begin(call.application, call.actor, organisation)
    if isinstance(begun, Refusal):
        raise Problem(begun)
    headers = {"Content-Disposition": f'attachment; filename="{organisation}.tar"', "Cache-Control": "no-store"}
    return StreamingResponse(_bytes(begun), headers=headers, media_type=TAR)


@router.post(
    "/v1/imports",
    status_code=201,
    response_model=schemas.Imported,
    openapi_extra=_UPLOAD,
    summary="Import an organisation from another factory",
)
@allow("organisation:import", FACTORY, takes_stream=True)
async def import_package(call: CallNow, trust: schemas.Trust = "", site: schemas.Site = None) -> Response:
    """Take a package in, whole or not at all, if it is signed by the key in `trust`; the same one again changes nothing."""
    with call.application.packages.receive() as incoming:
        waiting = bytearray()
        async for chunk in stream_body(call.request, PACKAGE_BYTES_MAX):
            waiting += chunk
            if len(waiting) >= PIECE_BYTES:
                _kept(await asyncio.to_thread(incoming.write, bytes(waiting)))
                waiting.clear()
        _kept(await asyncio.to_thread(incoming.write, bytes(waiting)))
        answer = await asyncio.to_thread(
            import_organisation.take_in, call.application, call.actor, incoming.path, trust=trust, site=site
        )
    return JsonAnswer(dict(accepted(answer)), 201)


@router.get(
    "/v1/organisations/{organisation}/import",
    response_model=schemas.ImportComparison,
    summary="Compare an imported organisation with its package",
)
@allow("organisation:read", ORGANISATION, "organisation")
def read_import(call: CallNow, organisation: schemas.OrganisationPath) -> Response:
    """Check the kept package again and return what left, what arrived and what it is now; no lines for one at home here."""
    if call.application.reader.row("imports", organisation) is None:
        return JsonAnswer({"organisation": organisation, "same": True, "lines": []})
    found = compare_import.compare(call.application, organisation)
    if isinstance(found, Refusal):
        raise Problem(found)
    return JsonAnswer(_comparison(found))


def _bytes(begun: export_organisation.Export) -> Iterator[bytes]:
    """Yield the package in pieces worth sending."""
    waiting = bytearray()
    for piece in export_organisation.packed(begun):
        waiting += piece
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _comparison(found: Comparison) -> Json:
    row = found.imported
    lines = [
        {"what": one.what, "there": one.there, "here": one.here, "now": one.now, "same": one.is_same} for one in found.lines
    ]
    names = ("organisation", "origin", "key", "manifest", "records")
    return {**{name: row[name] for name in names}, "imported_at": instant_text(row["at_ms"]), "same": found.is_same, "lines": lines}


def _kept(answer: Refusal | None) -> None:
    if answer is not None:
        raise Problem(answer)
