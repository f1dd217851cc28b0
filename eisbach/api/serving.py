"""Runs the API on a socket until a signal: the port is taken before anything starts, streams end with a word."""

import contextlib
import errno
import json
import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import uvicorn
from starlette.types import ASGIApp

from eisbach.api.connections import BoundedConnection

STOP_S_MAX = 2
BACKLOG = 2048
KEEP_ALIVE_S = 75
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName", "color_message"}


class PortTaken(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on this address; raise PortTaken. Port 0 lets the system choose one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise PortTaken(f"{host!r} is no address of this machine ({error}). Use for example 127.0.0.1") from error
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)  # here and not later: two servers may bind with SO_REUSEADDR, only one may listen
    except OSError as error:
        bound.close()
        raise PortTaken(_why_not(host, port, error)) from error
    return bound


def serve(
    app: ASGIApp,
    bound: socket.socket,
    *,
    on_stop: Callable[[], None] = lambda: None,
    on_ready: Callable[[str, int], None] = lambda host, port: None,
    access_log: bool = False,
    json_logs: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop within two seconds. To be called on the main thread.

    `on_ready` is called with the address and the real port once requests are answered, `on_stop` before connections are
    waited for: it ends what would never end by itself.
    """
    configure_logs(access_log=access_log, json_logs=json_logs)
    with bound:
        ApiServer(app, on_ready, on_stop).run(sockets=[bound])


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # ours has the request id and leaves out queries
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S_MAX,
        backlog=BACKLOG,
    )


def configure_logs(*, access_log: bool, json_logs: bool) -> None:
    """Send what the program logs to standard error, as text or as JSON lines; calls only where wanted."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if json_logs else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # its warnings are lines that anybody can write
    logging.getLogger("eisbach.access").setLevel(logging.INFO if access_log else logging.WARNING)


class JsonLines(logging.Formatter):
    """Formats each record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, what was given as `extra` included."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _RECORD_FIELDS}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class ApiServer(uvicorn.Server):
    """Tells when it is ready, ends streams before it waits for connections, and returns instead of dying of a signal."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[str, int], None], on_stop: Callable[[], None]) -> None:
        super().__init__(_config(app))
        self._on_ready, self._on_stop = on_ready, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            address, port = sockets[0].getsockname()[:2]
            self._on_ready(address, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()  # the caller has more to stop, in order


def _why_not(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} of {host} is taken. Stop the program that holds it, or choose another one with --port"
        case errno.EACCES:
            return f"Port {port} needs rights that this user has not. Choose one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine. Use for example 127.0.0.1"
        case _:
            return f"{host}:{port} cannot be listened on: {error.strerror}"
