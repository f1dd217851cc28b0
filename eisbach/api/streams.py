"""Server-sent events: a follower reads what is new, a stream sends it until the end, the client or the server goes."""

import asyncio
import logging
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eisbach.api.access import Call
from eisbach.api.envelope import loggable_path
from eisbach.api.errors import Problem
from eisbach.api.host import STREAMS_MAX
from eisbach.core.vocabulary.reasons import Reason, Refusal

PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 1.0
KEEP_ALIVE_S = 15.0
MUCH_BYTES = 64 * 1024
"""Where a read brings as much as this, the next one follows at once."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
log = logging.getLogger("eisbach.api")


class Follower(Protocol):
    """Reads what is new since the last time. Called in a thread, never twice at once."""

    def read(self) -> tuple[bytes, bool]:
        """Return encoded events (empty: nothing new) and whether these were the last ones."""


def encode_event(kind: str, data: bytes, place: str = "") -> bytes:
    """Return one server-sent event; `place` is what a client sends as Last-Event-ID to go on behind it."""
    head = f"id: {place}\nevent: {kind}\ndata: " if place else f"event: {kind}\ndata: "
    return head.encode() + data + b"\n\n"


CLOSING = encode_event("closing", b"{}")


class EventStream(Response):
    """The response that a follower's events are sent with.

    It reads at most ten times a second, less and less while nothing is new, and once a second at least. It ends when
    the follower says so, the client goes away, the server closes, or the caller's token is no longer valid.
    """

    media_type = "text/event-stream"

    def __init__(self, call: Call, follower: Follower) -> None:
        """Raise Problem (503) where too many streams are open already."""
        if len(call.host.streams) >= STREAMS_MAX:
            what = f"{STREAMS_MAX} streams are open, more are not served"
            raise Problem(Refusal(Reason.OVERLOADED, what, "Try again in a moment"))
        super().__init__(None, headers=_HEADERS)
        del self.headers["content-length"]
        self._call = call
        self._follower = follower
        self._closing = asyncio.Event()

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
            ended = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(ended[0], Exception):
            log.error("a stream of %s broke", loggable_path(scope), exc_info=ended[0])

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b": stream\n\n", "more_body": True})
        pause_s, checked = PAUSE_S_MIN, asyncio.get_running_loop().time()
        while True:
            events, is_over = await asyncio.to_thread(self._follower.read)
            if events:
                await send({"type": "http.response.body", "body": events, "more_body": True})
            if is_over:
                break
            if len(events) < MUCH_BYTES:
                await self._pause(PAUSE_S_MIN if events else pause_s)
                pause_s = PAUSE_S_MIN if events else min(pause_s * 1.5, PAUSE_S_MAX)
            if self._closing.is_set():
                await send({"type": "http.response.body", "body": CLOSING, "more_body": True})
                break
            if asyncio.get_running_loop().time() - checked >= KEEP_ALIVE_S:
                checked = asyncio.get_running_loop().time()
                if self._call.application.actor_of(self._call.secret) is None:
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
