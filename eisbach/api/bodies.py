"""How bodies of requests are read: within limits, and JSON strictly (no NaN, no broken text, no endless nesting)."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from eisbach.api.errors import Problem, invalid
from eisbach.core.vocabulary.reasons import Reason, Refusal

_decode = msgspec.json.Decoder().decode


class CheckedRequest(Request):
    """A request whose body was read within its limit before FastAPI sees it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.read = b""
        self._sent: dict[bytes, bytes] = dict(scope["headers"])

    def header(self, name: bytes) -> str | None:
        """Return a header by its lower-case name, or None (a tenth of the time of `headers`, which copies and searches)."""
        value = self._sent.get(name)
        return value.decode("latin-1") if value is not None else None

    async def body(self) -> bytes:
        """Return the body that was read."""
        return self.read

    async def json(self) -> Any:
        """Return the decoded body; raise Problem where it is not JSON."""
        return decode_json(self.read)


async def read_body(request: CheckedRequest, bytes_max: int) -> bytes:
    """Return the whole body; raise Problem (413) as soon as it is larger than allowed."""
    _check_announced(request, bytes_max)
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")  # nearly always all comes at once
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message.get("more_body", False):
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > bytes_max:
            raise too_large(bytes_max)
    return b"".join(chunks)


async def stream_body(request: CheckedRequest, bytes_max: int) -> AsyncIterator[bytes]:
    """Yield the body piece by piece; raise Problem (413) as soon as it is larger than allowed."""
    _check_announced(request, bytes_max)
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > bytes_max:
            raise too_large(bytes_max)
        if chunk:
            yield chunk


def decode_json(body: bytes) -> Any:
    """Return what a JSON text says; raise Problem (400) where it is none."""
    try:
        return _decode(body)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise invalid(f"The body is not JSON: {_shown(error)}", "Send UTF-8 encoded JSON (RFC 8259)", status=400) from error


def require_json(request: CheckedRequest) -> None:
    """Raise Problem (415) unless the body is said to be JSON."""
    kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise invalid("The body is not sent as JSON", "Send it with Content-Type: application/json", status=415)


def too_large(bytes_max: int) -> Problem:
    """Return the problem of a body over its limit."""
    return Problem(Refusal(Reason.TOO_LARGE, f"The body has more than {bytes_max} bytes", "Send less"))


def _check_announced(request: CheckedRequest, bytes_max: int) -> None:
    announced = request.header(b"content-length") or ""
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > bytes_max):
        raise too_large(bytes_max)


def _shown(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it holds bytes that are not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)
