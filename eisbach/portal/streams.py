"""Server-sent events for the few pages that live: what is new is read on a thread and sent until an end."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused

STREAMS_MAX = 256
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 1.0
KEEP_ALIVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its kind, what it says, and the place from which a browser goes on after a break."""

    kind: str
    data: Any
    place: str = ""

    def encoded(self) -> bytes:
        """Return the event as server-sent events are written."""
        head = f"id: {self.place}\n" if self.place else ""
        return f"{head}event: {self.kind}\ndata: {json.dumps(self.data)}\n\n".encode()


Read = Callable[[], tuple[Sequence[Event], bool]]
"""Returns what is new, and whether that was all there will ever be; called on a thread, never twice at once."""


class LiveStream(Response):
    """Sends what `read` brings, at most ten times a second; ends with the work, the browser, the session or the server."""

    media_type = "text/event-stream"

    def __init__(self, call: Call, read: Read) -> None:
        """Raise Refused where too many streams are open already."""
        if len(call.host.streams) >= STREAMS_MAX:
            what = f"{STREAMS_MAX} pages are being followed, more are not served"
            raise Refused(Refusal(Reason.OVERLOADED, what, "Try again in a moment"))
        super().__init__(None, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._call, self._read, self._closing = call, read, asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one of the ends."""
        streams = self._call.host.streams
        streams.add(self._closing)
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            streams.discard(self._closing)
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b": stream\n\n", "more_body": True})
        pause_s, checked = PAUSE_S_MIN, asyncio.get_running_loop().time()
        is_over = False
        while not is_over and not self._closing.is_set():
            events, is_over = await asyncio.to_thread(self._read)
            if events:
                body = b"".join(event.encoded() for event in events)
                await send({"type": "http.response.body", "body": body, "more_body": True})
            pause_s = PAUSE_S_MIN if events else min(pause_s * 1.5, PAUSE_S_MAX)
            if not is_over:
                await self._pause(pause_s)
            now = asyncio.get_running_loop().time()
            if now - checked >= KEEP_ALIVE_S:
                checked = now
                if self._call.application.actor_of(self._call.session.secret) is None:
                    break
                await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
