"""What every answer carries besides its content: versions, a request id, safe defaults; and the access log."""

import logging
import secrets
import time
from itertools import count
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eisbach import __version__

access_log = logging.getLogger("eisbach.access")
_REQUEST_ID_MAX = 64
_CLIENT_MAX = 64
_PATH_MAX = 256
_TEXTS = ("path", "name")
"""Path parameters that hold what a tenant wrote (names of files and secrets) and not one of our ids."""


class Envelope:
    """ASGI middleware around the whole API (a plain one: BaseHTTPMiddleware costs a task and a queue a request)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)
        self._always = [
            (b"eisbach-version", __version__.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _sent_id(scope) or f"{self._prefix}-{next(self._numbers):x}".encode()
        headers = [*self._always, (b"x-request-id", request_id)]
        begun = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
                if access_log.isEnabledFor(logging.INFO):
                    _log_access(scope, message["status"], request_id, time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _sent_id(scope: Scope) -> bytes:
    """Return the request id that the client chose, empty where there is none or it is no harmless word."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            sent = bytes(value)
            is_word = sent.replace(b"-", b"").replace(b"_", b"").isalnum()
            return sent if is_word and len(sent) <= _REQUEST_ID_MAX else b""
    return b""


def loggable_path(scope: Scope) -> str:
    """Return the path of a call as logs may hold it: without tenants' texts and control characters, and bounded."""
    path = str(scope["path"])
    for name in _TEXTS:
        text = scope.get("path_params", {}).get(name)
        if text and path.endswith(text):
            path = f"{path.removesuffix(text)}{{{name}}}"
    return quote(path, safe="/{}:")[:_PATH_MAX]


def _log_access(scope: Scope, status: int, request_id: bytes, seconds: float) -> None:
    """Log a call. The query is left out: it may hold what is not for logs."""
    client = dict(scope["headers"]).get(b"eisbach-client", b"").decode("latin-1")[:_CLIENT_MAX]
    access_log.info(
        "%s %s %d",
        scope["method"],
        loggable_path(scope),
        status,
        extra={"request_id": request_id.decode(), "milliseconds": round(seconds * 1000, 3), "client": client},
    )
