"""The log, for those who check it: proofs of a job, the signed head, the whole log."""

from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response, StreamingResponse

from eisbach.api import schemas
from eisbach.api.access import JOB, LOG, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer
from eisbach.api.errors import Problem
from eisbach.app import prove_log
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["audit"])

PIECE_BYTES = 256 * 1024
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A bundle as JSON lines: its header, then each leaf.",
        "content": {"application/jsonl": {"schema": {"type": "string"}}},
    }
}


@router.get("/v1/jobs/{job}/proof", response_model=schemas.Bundle, summary="Prove what the log says about a job")
@allow("job:prove", JOB, "job")
def prove(call: CallNow, job: schemas.JobPath) -> Response:
    """Return an audit bundle: the job's events, each with its inclusion proof under a signed head."""
    bundle = prove_log.job_bundle(call.application, job)
    if isinstance(bundle, Refusal):
        raise Problem(bundle)
    return JsonAnswer(bundle)


@router.get("/v1/audit/head", response_model=schemas.Head, summary="The signed head of the log")
@allow("audit:read", LOG)
def head(call: CallNow) -> Response:
    """Return the newest head as a signed note, and the key that verifies it."""
    newest = prove_log.head(call.application)
    if isinstance(newest, Refusal):
        raise Problem(newest)
    return JsonAnswer(newest)


@router.get("/v1/audit/export", response_class=Response, responses=_LINES, summary="Export the whole log")
@allow("audit:read", LOG)
def export(call: CallNow) -> Response:
    """Send every leaf of the log up to its newest signed head."""
    return StreamingResponse(_pieces(prove_log.export_lines(call.application)), media_type="application/jsonl")


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines in large pieces: each piece costs a change of threads."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
