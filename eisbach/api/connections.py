"""Bounds what a connection may cost before anybody knows whose it is: bytes and time of a request's head, and how many there are.

uvicorn with httptools takes heads of any size (300 MB were seen in memory) and waits for their end without a limit.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
HEAD_S_MAX = 20.0
CONNECTIONS_MAX = 4096
_TOO_LARGE = "The request line and headers are larger than 64 KiB."


class BoundedConnection(HttpToolsProtocol):
    """One connection; what comes between requests and before the end of a head is counted and timed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head, self._is_in_body = True, False
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self._timer = self.loop.call_later(HEAD_S_MAX, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._is_in_head, self._is_in_body = False, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A body has ended, if there was one."""
        self._is_in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came, then look whether a head is still open, or a body comes that nobody wants any more."""
        super().data_received(data)
        is_served = self.cycle is not None and not self.cycle.response_complete
        if is_served and not self._is_in_head:
            self._stop_timer()
            return
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S_MAX, self.transport.abort)
        if not self._is_in_body:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self._refuse()

    def _refuse(self) -> None:
        head = f"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: {len(_TOO_LARGE)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n{_TOO_LARGE}".encode())
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
