"""Submissions pass by the framework: its routing and middlewares cost more than all that a submission itself does."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from eisbach.api.access import GuardedRoute


class HotRoute:
    """ASGI application that answers one raw route itself and hands everything else to the app around it.

    The route stands in the app as well: in its documents, its tests, and for every request that is written in
    another way than the plain one.
    """

    __slots__ = ("_app", "_handlers", "_inner", "_method", "_path", "_route")

    def __init__(self, inner: ASGIApp, app: FastAPI, route: GuardedRoute, method: str) -> None:
        self._inner, self._app, self._route, self._method = inner, app, route, method
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[A-Za-z0-9_]+)", re.escape(route.path))
        self._path = re.compile(pattern + r"\Z")
        self._handlers: Mapping[Any, Any] = app.exception_handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the route's requests; pass all others on."""
        found = self._path.match(scope["path"]) if scope["type"] == "http" and scope["method"] == self._method else None
        if found is None:
            await self._inner(scope, receive, send)
            return
        scope["app"] = self._app
        scope["path_params"] = found.groupdict()
        try:
            await self._route.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 (every one becomes the problem document that the app makes of it)
            handler = next(self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers)
            response = await handler(Request(scope, receive), error)
            await response(scope, receive, send)
