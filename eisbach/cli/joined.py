"""API and portal behind one address: `/portal` is the portal, everything else the API; a browser at `/` is led over."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PORTAL = "/portal"


class Joined:
    """An ASGI application made of two; neither knows the other."""

    def __init__(self, api: AsgiApp, portal: AsgiApp) -> None:
        self._api, self._portal = api, portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on to the one it is for."""
        path = scope.get("path", "")
        if path == PORTAL or path.startswith(f"{PORTAL}/"):
            await self._portal(scope, receive, send)
        elif path == "/" and scope["type"] == "http" and _is_browser(scope):
            headers = [(b"location", f"{PORTAL}/".encode()), (b"content-length", b"0"), (b"x-content-type-options", b"nosniff")]
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._api(scope, receive, send)


def _is_browser(scope: Scope) -> bool:
    """Return whether whoever asks would rather have a page than JSON."""
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
