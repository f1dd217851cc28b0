"""What every answer of the portal carries: a strict content security policy, safe defaults, a request id; the access log."""

import logging
import secrets
import time
from itertools import count
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eisbach.portal.rendering import new_nonce

access_log = logging.getLogger("eisbach.access")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The nonce lets plotly write its rules into the one style element that pages with figures carry (CSP Level 3)."""


class Envelope:
    """ASGI middleware around the whole portal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = scope["eisbach.nonce"] = new_nonce()
        request_id = scope["eisbach.request_id"] = f"{self._prefix}-p{next(self._numbers):x}"
        headers = [
            (b"content-security-policy", POLICY.format(nonce=nonce).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),  # `no-referrer` would take the Origin off our own forms
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
            (b"x-request-id", request_id.encode()),
        ]
        begun = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
                if access_log.isEnabledFor(logging.INFO):
                    spent_ms = round((time.perf_counter() - begun) * 1000, 3)
                    more = {"request_id": request_id, "milliseconds": spent_ms, "client": "browser"}
                    access_log.info("%s %s %d", scope["method"], loggable_path(scope), message["status"], extra=more)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def loggable_path(scope: Scope) -> str:
    """Return the path of a call as logs may hold it: no query (codes stand there), no file names, bounded."""
    path = str(scope["path"])
    text = scope.get("path_params", {}).get("path")
    if text and path.endswith(text):
        path = f"{path.removesuffix(text)}{{path}}"
    return quote(path, safe="/{}:")[:256]
