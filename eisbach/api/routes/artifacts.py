"""Artifacts: what a job left, listed and downloaded."""

from base64 import b64encode
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response, StreamingResponse

from eisbach.api import schemas
from eisbach.api.access import JOB, Call, CallNow, GuardedRoute, allow, is_id
from eisbach.api.answers import JsonAnswer
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations import whole
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import Artifact, CanKeepArtifacts

router = APIRouter(route_class=GuardedRoute, tags=["artifacts"])

ATTEMPTS_SHOWN = 1000
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
    engine = _engine(call)
    attempts = call.application.reader.rows("attempts", {"job": job, "state": JobState.ENDED.value}, limit=ATTEMPTS_SHOWN).rows
    items = [
        {"attempt": row["attempt"], "path": kept.path, "size": kept.size, "sha256": kept.sha256}
        for row in attempts
        for kept in engine.artifacts(row["attempt"])
    ]
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
    engine = _engine(call)
    row = call.application.reader.row("attempts", attempt) if is_id(attempt) else None
    is_here = row is not None and row["job"] == job and row["state"] == JobState.ENDED.value
    kept = _find(engine, attempt, path) if is_here else None
    if kept is None:
        raise Problem(ABSENT)
    headers = {
        "Content-Length": str(kept.size),
        "Content-Disposition": "attachment",
        "Eisbach-Sha256": kept.sha256,
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(kept.sha256)).decode()}:",
    }
    return StreamingResponse(
        engine.read_artifact(attempt, kept.path), headers=headers, media_type="application/octet-stream"
    )


def _find(engine: CanKeepArtifacts, attempt: str, path: str) -> Artifact | None:
    return next((kept for kept in engine.artifacts(attempt) if kept.path == path), None)


def _engine(call: Call) -> CanKeepArtifacts:
    engine = call.application.engine
    if not isinstance(engine, CanKeepArtifacts):
        what = "this factory's engine keeps no artifacts"
        raise Problem(Refusal(Reason.NOT_SUPPORTED, what, "Let the job copy its results where you need them"))
    return engine
