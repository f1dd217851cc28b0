"""Data sets: listed, looked at, downloaded, checked, copied to further sites, deleted."""

import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRouter
from starlette.responses import Response, StreamingResponse

from eisbach.api import representations_data, schemas, schemas_data
from eisbach.api.access import DATA, PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform
from eisbach.api.errors import ABSENT, Problem, documented, invalid
from eisbach.api.representations import page
from eisbach.app import certify_deletion, copy_data_set, delete_data_set, read_data_set
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.store import Row

router = APIRouter(route_class=GuardedRoute, tags=["data"])

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes, with their SHA-256 in Eisbach-Sha256 (hex) and Repr-Digest (RFC 9530).",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "The range of bytes that was asked for (RFC 9110)."},
    **documented(of_409="Its upload has not ended.", of_410="It is deleted.", of_416="There are no such bytes."),
}
_GONE = documented(of_410="It is deleted.")


@router.get("/v1/projects/{project}/data", response_model=schemas_data.DataSets, summary="List data sets")
@allow("data:read", PROJECT, "project")
def list_data_sets(
    call: CallNow,
    project: schemas.ProjectPath,
    is_all: schemas_data.IsAll = False,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of a project's data sets, newest first, and how much of its quota they take."""
    found = read_data_set.listed(call.application, project, is_all=is_all, cursor=cursor, limit=limit)
    return JsonAnswer({**page(found, representations_data.data_set), **read_data_set.usage(call.application, project)})


@router.get("/v1/data/{data_set}", response_model=schemas_data.DataSet, summary="Look at a data set")
@allow("data:read", DATA, "data_set")
def read(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Return a data set with its hashes and places; of one that is gone all but its erased texts."""
    facts = read_data_set.facts(call.application, data_set)
    if facts is None:
        raise Problem(ABSENT)
    return JsonAnswer(representations_data.data_set(facts))


@router.get(
    "/v1/data/{data_set}/content", response_class=Response, responses=_BYTES, summary="Download a data set"
)
@allow("data:download", DATA, "data_set")
def content(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Send the bytes, or one range of them; each chunk is checked against its hash before it is sent."""
    row = _row(call, data_set)
    wanted = _range(call.request.header(b"range"), row["size"])
    start, end = wanted or (0, row["size"])
    pieces = read_data_set.content(call.application, row, start, end)
    if isinstance(pieces, Refusal):
        raise Problem(pieces)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
        "ETag": f'"{row["sha256"]}"',
        "Eisbach-Sha256": row["sha256"],
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(row['sha256'])).decode()}:",
    }
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row['size']}"
    return StreamingResponse(
        pieces, 200 if wanted is None else 206, headers=headers, media_type="application/octet-stream"
    )


@router.post("/v1/data/{data_set}/check", response_model=schemas_data.CheckedDataSet, responses=_GONE, summary="Check a data set")
@allow("data:check", DATA, "data_set")
def check(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Read every byte at every place again and compare with the hashes in the log."""
    found = read_data_set.verify(call.application, _row(call, data_set))
    if isinstance(found, Refusal):
        raise Problem(found)
    return JsonAnswer(found)


@router.post(
    "/v1/data/{data_set}/copies",
    status_code=202,
    response_model=schemas_data.CopiedDataSet,
    responses=_GONE,
    summary="Copy a data set",
)
@allow("data:copy", DATA, "data_set")
async def copy(call: CallNow, data_set: schemas_data.DataSetPath, new: schemas_data.NewCopy) -> Response:
    """Have a copy at a further site. Look at the data set to see when it is whole there."""
    command = copy_data_set.command(call.actor, data_set=data_set, site=new.site, limits=call.application.data_limits)
    return await perform(call, command, 202)


@router.delete(
    "/v1/data/{data_set}",
    status_code=202,
    response_model=schemas_data.DeletedDataSet,
    responses=_GONE,
    summary="Delete a data set",
)
@allow("data:delete", DATA, "data_set")
def delete(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Delete a data set at all its places for good, or give up its upload; refused while jobs work with it."""
    answer = call.application.perform(delete_data_set.command(call.actor, data_set=data_set)).result()
    if isinstance(answer, Refusal):
        raise Problem(answer)
    delete_data_set.finish_deletions(call.application)
    return JsonAnswer({"data_set": data_set, "stage": _row(call, data_set)["stage"]}, 202)


@router.get("/v1/data/{data_set}/certificate", response_model=schemas_data.Certificate, summary="Certify a deletion")
@allow("data:prove", DATA, "data_set")
def certificate(call: CallNow, data_set: schemas_data.DataSetPath) -> Response:
    """Return the signed certificate of a data set's deletion with the log's proofs behind it; 404 before it is deleted."""
    made = certify_deletion.certificate(call.application, data_set)
    if isinstance(made, Refusal):
        raise Problem(made)
    return JsonAnswer(made)


def _row(call: Call, data_set: str) -> Row:
    row = call.application.reader.row("data_sets", data_set)
    if row is None:
        raise Problem(ABSENT)
    return row


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return what one range asks for as start and end, None for everything; several ranges are answered with everything."""
    found = _RANGE.fullmatch((header or "").replace(" ", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        problem = invalid(f"There are no bytes {header} in {size}", "Ask for a range inside it", "Range", status=416)
        problem.headers = {"Content-Range": f"bytes */{size}"}
        raise problem
    return start, end


