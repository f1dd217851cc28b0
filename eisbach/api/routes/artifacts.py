"""Artifacts: what a job left, listed and downloaded."""

from base64 import b64encode
from typing import Any, TypeVar

from fastapi.routing import APIRouter
from starlette.responses import Response, StreamingResponse

from eisbach.api import schemas
from eisbach.api.access import JOB, CallNow, GuardedRoute, allow, is_id
from eisbach.api.answers import JsonAnswer
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations import whole
from eisbach.app.read_output import find_kept_file, keeper_of, kept_files
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["artifacts"])

T = TypeVar("T")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes, with their SHA-256 in Eisbach-Sha256 (hex) and Repr-Digest (RFC 9530).",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/v1/jobs/{job}/artifacts", response_model=schemas.Artifacts, summary="List the artifacts of a job")
@allow("artifact:read", JOB, "job")
def list_artifacts(call: CallNow, job: schemas.JobPath) -> Response:
    """Return the artifacts of all attempts that have ended, the newest attempt's first."""
    found = _accepted(kept_files(call.application, job))
    items = [{"attempt": attempt, "path": kept.path, "size": kept.size, "sha256": kept.sha256} for attempt, kept in found]
    return JsonAnswer(whole(items))


@router.get(
    "/v1/jobs/{job}/artifacts/{attempt}/{path:path}",
    response_class=Response,
    responses=_BYTES,
    summary="Download an artifact",
)
@allow("artifact:read", JOB, "job")
def read_artifact(call: CallNow, job: schemas.JobPath, attempt: schemas.AttemptPath, path: str) -> Response:
    """Send the bytes of one artifact. Only what stands in the list can be asked for: a path is never opened as such."""
    kept = _accepted(find_kept_file(call.application, job, attempt, path)) if is_id(attempt) else None
    if kept is None:
        raise Problem(ABSENT)
    headers = {
        "Content-Length": str(kept.size),
        "Content-Disposition": "attachment",
        "Eisbach-Sha256": kept.sha256,
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(kept.sha256)).decode()}:",
    }
    return StreamingResponse(
        _accepted(keeper_of(call.application)).read_artifact(attempt, kept.path), headers=headers, media_type="application/octet-stream"
    )


def _accepted(found: T | Refusal) -> T:
    if isinstance(found, Refusal):
        raise Problem(found)
    return found
