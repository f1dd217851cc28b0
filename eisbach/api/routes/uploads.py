"""Resumable uploads by the tus protocol 1.0.0 (tus.io/protocols/resumable-upload), so that its clients work as they are.

Core, creation, termination, checksum and expiration. An upload is the first stage of a data set and has its id.
"""

import asyncio
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from fastapi.routing import APIRouter
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from eisbach.api import schemas, schemas_data
from eisbach.api.access import DATA, PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import perform
from eisbach.api.bodies import stream_body
from eisbach.api.errors import Problem, documented, invalid
from eisbach.api.representations import Json, instant_text
from eisbach.app import announce_data_set, delete_data_set, receive_data_set
from eisbach.app.announce_data_set import NewDataSet
from eisbach.app.receive_data_set import Reception
from eisbach.app.state_data import DataClass
from eisbach.core.vocabulary.reasons import Reason, Refusal

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum,expiration"
ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
PIECE_BYTES = 1024 * 1024
CHECKED_BYTES_MAX = 64 * 1024 * 1024
"""A piece that comes with its checksum is taken as a whole or not at all, so it waits in memory until it is checked."""
IDLE_S_MAX = 60.0
"""A sender that is silent for so long has gone; what it sent is durable, and others may go on."""
_METADATA_BYTES_MAX = 8192
_NUMBER = re.compile(r"[0-9]{1,18}")
_PIECE = "application/offset+octet-stream"
T = TypeVar("T")


class TusRoute(GuardedRoute):
    """A route whose every answer carries the protocol's version, refusals too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the guarded handler with the header around it."""
        answer = super().get_route_handler()

        async def versioned(request: Request) -> Response:
            try:
                response = await answer(request)
            except Problem as problem:
                problem.headers = {**(problem.headers or {}), "Tus-Resumable": VERSION}
                raise
            response.headers["Tus-Resumable"] = VERSION
            return response

        return versioned


router = APIRouter(route_class=TusRoute, tags=["data"])
_WRONG = documented(of_400="A header cannot be read.", of_412="Another version of the protocol; ours is in Tus-Version.")
_GONE = documented(of_410="Deleted, given up or expired.", of_423="Somebody else is sending at this moment.")
_LARGE = documented(of_413="More bytes than may be.")
_PIECE_REFUSED = documented(of_415="Not sent as bytes of an upload.", of_460="The bytes do not have their checksum.")
_PIECE_BODY = {"requestBody": {"required": True, "content": {_PIECE: {"schema": {"type": "string", "format": "binary"}}}}}


@router.options("/v1/projects/{project}/uploads", status_code=204, summary="Ask what this server knows of tus")
@allow("data:upload", PROJECT, "project")
async def capabilities(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Tell versions, extensions, algorithms of checksums and the largest size, in headers."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Tus-Max-Size": str(call.application.data_limits.file_bytes_max),
    }
    return Response(status_code=204, headers=headers)


@router.post("/v1/projects/{project}/uploads", status_code=201, responses={**_WRONG, **_LARGE}, summary="Begin an upload")
@allow("data:upload", PROJECT, "project")
async def begin(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Announce a file: `Upload-Length` in bytes, `Upload-Metadata` with its name. Returns where its bytes go to."""
    _check_version(call)
    new = _announced(call)
    command = announce_data_set.command(call.actor, project=project, new=new, limits=call.application.data_limits)
    answer = await perform(call, command, 201, _begun, body_digest=hashlib.sha256(repr(new).encode()).hexdigest())
    answer.headers["Location"] = msgspec.json.decode(answer.body)["location"]
    return answer


@router.head("/v1/uploads/{data_set}", responses={**_WRONG, **_GONE}, summary="Ask how far an upload is")
@allow("data:upload", DATA, "data_set")
async def offset(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Tell how many bytes are durable (`Upload-Offset`) and when an unfinished upload is given up."""
    _check_version(call)
    found, durable = _accepted(await asyncio.to_thread(receive_data_set.progress, call.application, data_set))
    name = call.application.reader.text(f"{data_set}/name")
    headers = {"Upload-Offset": str(durable), "Upload-Length": str(found.size), "Cache-Control": "no-store"}
    if name is not None:
        headers["Upload-Metadata"] = f"filename {b64encode(name.content).decode()}"
    if durable < found.size:
        headers["Upload-Expires"] = _http_date(found.expires_ms)
    return Response(headers=headers)


@router.patch(
    "/v1/uploads/{data_set}",
    status_code=204,
    openapi_extra=_PIECE_BODY,
    responses={**_WRONG, **_GONE, **_LARGE, **_PIECE_REFUSED},
    summary="Send bytes of an upload",
)
@allow("data:upload", DATA, "data_set", takes_stream=True)
async def send(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Add bytes at `Upload-Offset`. What came before a connection broke is kept; with the last byte it is a data set."""
    _check_version(call)
    if call.request.header(b"content-type") != _PIECE:
        raise invalid("Bytes of an upload are sent in another way", f"Send them with Content-Type: {_PIECE}", status=415)
    begins_at = _number(call, b"upload-offset", "Upload-Offset")
    checksum = _checksum(call)
    reception = Reception(call.application, data_set)
    _accepted_or_none(await asyncio.to_thread(reception.open, begins_at))
    problem: Refusal | None = None
    try:
        pieces = _pieces(call, reception.room)
        problem = await (_take_all(reception, pieces) if checksum is None else _take_checked(reception, pieces, *checksum))
    except (ClientDisconnect, TimeoutError):
        problem = Refusal(Reason.INVALID_ARGUMENT, "The connection ended before the announced bytes came", "Go on")
    finally:
        durable = await asyncio.shield(asyncio.to_thread(reception.close))
    _accepted_or_none(problem)
    return Response(status_code=204, headers={"Upload-Offset": str(_accepted(durable))})


@router.delete("/v1/uploads/{data_set}", status_code=204, responses={**_WRONG, **_GONE}, summary="Give up an upload")
@allow("data:upload", DATA, "data_set")
def terminate(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Delete an unfinished upload with all its bytes, and give back what it took of the quota."""
    _check_version(call)
    row = call.application.reader.row("data_sets", data_set)
    if row is not None and row["created_ms"] is not None:
        do = "Delete it as one: DELETE /v1/data/{data_set}"
        raise Problem(Refusal(Reason.NOT_SUPPORTED, "The upload has ended and is a data set now", do), status=403)
    _accepted(call.application.perform(delete_data_set.command(call.actor, data_set=data_set)).result())
    delete_data_set.finish_deletions(call.application)
    return Response(status_code=204)


async def _take_all(reception: Reception, pieces: AsyncIterator[bytes]) -> Refusal | None:
    async for piece in pieces:
        problem = await asyncio.to_thread(reception.write, piece)
        if problem is not None:
            return problem
    return None


async def _take_checked(
    reception: Reception, pieces: AsyncIterator[bytes], algorithm: str, expected: bytes
) -> Refusal | None:
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) > CHECKED_BYTES_MAX:
            what = f"A piece with a checksum has more than {CHECKED_BYTES_MAX} bytes"
            return Refusal(Reason.TOO_LARGE, what, "Send smaller pieces, each with its own checksum")
    if ALGORITHMS[algorithm](waiting).digest() != expected:
        what = f"The {len(waiting)} bytes that arrived do not have their checksum; none of them was kept"
        return Refusal(Reason.WRONG_CHECKSUM, what, "Send them again")
    return await asyncio.to_thread(reception.write, bytes(waiting))


async def _pieces(call: Call, room: int) -> AsyncIterator[bytes]:
    """Yield the body in pieces that are worth a change of threads; what has come is handed on before any error is."""
    waiting = bytearray()
    body = stream_body(call.request, room)
    while True:
        try:
            async with asyncio.timeout(IDLE_S_MAX):
                chunk = await anext(body, b"")
        except (ClientDisconnect, TimeoutError, Problem):
            if waiting:
                yield bytes(waiting)
            raise
        if not chunk:
            break
        waiting += chunk
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _announced(call: Call) -> NewDataSet:
    if call.request.header(b"upload-defer-length") is not None:
        raise invalid("The length of an upload cannot be told later here", "Send Upload-Length", "Upload-Defer-Length", 400)
    told = _metadata(call.request.header(b"upload-metadata") or "")
    days = told.get("keep_days", "")
    if days and not _NUMBER.fullmatch(days):
        raise invalid(f"keep_days is {days[:40]!r}, which is no number of days", "Send a whole number", "keep_days")
    return NewDataSet(
        name=told.get("filename") or told.get("name", ""),
        size=_number(call, b"upload-length", "Upload-Length"),
        data_class=told.get("data_class") or DataClass.CUSTOMER.value,
        licence=told.get("licence", ""),
        keep_days=int(days) if days else None,
        countries=tuple(told.get("countries", "").replace(",", " ").split()),
        site=told.get("site") or None,
    )


def _metadata(header: str) -> dict[str, str]:
    """Return the pairs of `Upload-Metadata`: a key, a space and base64 for each, divided by commas."""
    told: dict[str, str] = {}
    if len(header) > _METADATA_BYTES_MAX:
        raise invalid(f"Upload-Metadata has {len(header)} bytes", f"Send at most {_METADATA_BYTES_MAX}", "Upload-Metadata", 400)
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            told[key.lower()] = b64decode(value, validate=True).decode()
        except ValueError as error:
            do = "Send each value as base64 of UTF-8"
            raise invalid(f"Upload-Metadata: the value of {key[:40]!r} cannot be read", do, "Upload-Metadata", 400) from error
    return told


def _checksum(call: Call) -> tuple[str, bytes] | None:
    header = call.request.header(b"upload-checksum")
    if header is None:
        return None
    algorithm, _, text = header.partition(" ")
    if algorithm not in ALGORITHMS:
        what = f"Checksums of the kind {algorithm[:40]!r} cannot be checked"
        raise invalid(what, f"Use {' or '.join(ALGORITHMS)}", "Upload-Checksum", 400)
    try:
        return algorithm, b64decode(text, validate=True)
    except ValueError as error:
        raise invalid("Upload-Checksum cannot be read", "Send an algorithm, a space and base64", "Upload-Checksum", 400) from error


def _number(call: Call, header: bytes, name: str) -> int:
    text = call.request.header(header) or ""
    if not _NUMBER.fullmatch(text):
        raise invalid(f"{name} is {text[:40]!r}, which is no number of bytes", "Send a whole number from 0 on", name, 400)
    return int(text)


def _check_version(call: Call) -> None:
    sent = call.request.header(b"tus-resumable")
    if sent != VERSION:
        problem = invalid(f"Tus-Resumable is {(sent or '')[:40]!r}", f"Speak version {VERSION}", "Tus-Resumable", 412)
        problem.headers = {"Tus-Version": VERSION}
        raise problem


def _begun(reply: Json) -> Json:
    """Return what an announcement is answered with; `location` is told in a header too."""
    expires_at = instant_text(reply["expires_ms"])
    told = {name: reply[name] for name in ("data_set", "project", "size")}
    return {**told, "location": f"/v1/uploads/{reply['data_set']}", "expires_at": expires_at}


def _http_date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _accepted(answer: T | Refusal) -> T:
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return answer


def _accepted_or_none(problem: Refusal | None) -> None:
    if problem is not None:
        raise Problem(problem)
