"""Archives: working directories, uploaded once and named by their digest."""

import asyncio
from typing import TypeVar

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas
from eisbach.api.access import PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import perform
from eisbach.api.bodies import stream_body
from eisbach.api.errors import Problem
from eisbach.app import receive_archive
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["archives"])

ARCHIVE_BYTES_MAX = 2 * 1024**3
PIECE_BYTES = 1024 * 1024
T = TypeVar("T")
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/v1/projects/{project}/archives",
    status_code=201,
    response_model=schemas.Archive,
    openapi_extra=_UPLOAD,
    summary="Upload a working directory",
)
@allow("archive:upload", PROJECT, "project", takes_stream=True)
async def upload(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Keep a tar archive (plain or gzip) and return its id, which a task names as its `workdir`."""
    archive, size = await _receive(call)
    command = receive_archive.command(call.actor, project=project, archive=archive, size=size)
    return await perform(call, command, 201, body_digest=archive)


async def _receive(call: Call) -> tuple[str, int]:
    """Return id and size of the archive in the body, once it is checked and kept; the disk is left to threads."""
    call.key("")  # a bad key is refused before gigabytes are taken
    archives = call.application.archives
    with archives.receive() as incoming:
        waiting = bytearray()
        async for chunk in stream_body(call.request, ARCHIVE_BYTES_MAX):
            waiting += chunk
            if len(waiting) >= PIECE_BYTES:
                _accepted(await asyncio.to_thread(incoming.write, bytes(waiting)))
                waiting.clear()
        _accepted(await asyncio.to_thread(incoming.write, bytes(waiting)))
        _accepted(await asyncio.to_thread(archives.check, incoming.path))
        return _accepted(await asyncio.to_thread(incoming.keep)), incoming.size


def _accepted(answer: T | Refusal) -> T:
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return answer
