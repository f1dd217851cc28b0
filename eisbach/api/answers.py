"""How endpoints answer: encoded once with msgspec, and commands only after they are durable."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eisbach.api.access import Call
from eisbach.api.errors import Problem
from eisbach.api.representations import Json, encode
from eisbach.app.commands import Answer, Command
from eisbach.core.vocabulary.reasons import Refusal

REPLAYED = {"Idempotency-Replayed": "true"}


class JsonAnswer(Response):
    """A JSON response without the detours of validation and double encoding."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.body = encode(content)
        self.status_code = status_code
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", b"application/json")]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer in its two messages."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


async def perform(
    call: Call,
    command: Command,
    status: int = 200,
    show: Callable[[Json], Json] = dict,
    body_digest: str | None = None,
) -> JsonAnswer:
    """Have a command decided and answer with `show` of its reply; raise Problem where it is refused."""
    answer = accepted(await call.host.settling.perform(call.application, command, call.key(body_digest)))
    if "idempotent_replay" not in answer:
        return JsonAnswer(show(dict(answer)), status)
    first = {key: value for key, value in answer.items() if key != "idempotent_replay"}
    return JsonAnswer(show(first), status, REPLAYED)


async def reply_to(call: Call, command: Command) -> Mapping[str, Any]:
    """Have a command decided and return its reply; raise Problem where it is refused."""
    return accepted(await call.host.settling.perform(call.application, command, None))


async def settled(call: Call, answer: "Future[Any]") -> Any:
    """Return what a future of the application brings; raise Problem where that is a refusal."""
    value = await call.host.settling.wait(answer)
    if isinstance(value, Refusal):
        raise Problem(value)
    return value


def accepted(answer: Answer) -> Mapping[str, Any]:
    """Return the reply to a decided command; raise Problem where it was refused."""
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return answer
