"""What a job says while it runs: its lines as pages and as a stream, its events as a stream."""

from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas
from eisbach.api.access import JOB, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer
from eisbach.api.followers import EventFollower, LogFollower, LogReader, parse_event_place, parse_log_place
from eisbach.api.streams import EventStream

router = APIRouter(route_class=GuardedRoute, tags=["output"])

_EVENT = {
    "type": "object",
    "description": "One server-sent event.",
    "properties": {
        "id": {"type": "string", "description": "What to send as Last-Event-ID to go on behind this event."},
        "event": {"type": "string", "enum": ["line", "event", "end", "closing"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": _EVENT}}}
}
Place = Annotated[str, Query(max_length=64, description="The place of the last event seen, instead of Last-Event-ID.")]
LastEventId = Annotated[str, Header(max_length=64, description="The place of the last event seen.")]


@router.get("/v1/jobs/{job}/logs", response_model=schemas.LogLines, summary="Read the lines a job wrote")
@allow("job:logs", JOB, "job")
def read_lines(
    call: CallNow,
    job: schemas.JobPath,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 1000,
) -> Response:
    """Return a page of lines, oldest first, over all attempts.

    `next_cursor` is null where nothing more has been written yet; `place` is the cursor to come back with later.
    """
    reader = LogReader(call.application, job, parse_log_place(cursor or ""))
    lines, ended = reader.read(limit)
    place = reader.place()
    is_last = ended is not None or not lines
    return JsonAnswer(
        {"items": [line for _, line in lines], "next_cursor": None if is_last else place, "place": place}
    )


@router.get(
    "/v1/jobs/{job}/logs/stream", response_class=Response, responses=_STREAM, summary="Follow the lines a job writes"
)
@allow("job:logs", JOB, "job")
async def stream_lines(
    call: CallNow, job: schemas.JobPath, cursor: Place = "", last_event_id: LastEventId = ""
) -> Response:
    """Send lines as they come, as `event: line`; `event: end` when the job has ended and all was sent."""
    place = parse_log_place(last_event_id or cursor)
    return EventStream(call, LogFollower(LogReader(call.application, job, place)))


@router.get("/v1/jobs/{job}/events", response_class=Response, responses=_STREAM, summary="Follow the events of a job")
@allow("job:read", JOB, "job")
async def stream_events(
    call: CallNow, job: schemas.JobPath, cursor: Place = "", last_event_id: LastEventId = ""
) -> Response:
    """Send what the log says about a job, as `event: event`; `event: end` when the job has ended."""
    place = parse_event_place(last_event_id or cursor)
    return EventStream(call, EventFollower(call.application, job, place))
