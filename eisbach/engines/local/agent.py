"""The resident agent: `python -m eisbach.engines.local.agent HOME SETTINGS`; small, apart from the server, never polls.

It takes orders over a unix socket, makes them durable, forks supervisors and watches them. It may be killed at any
time: the next one reads the attempt folders and goes on.
"""

import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from eisbach.engines.local import cgroups, processes
from eisbach.engines.local.layout import Layout, make_scratch
from eisbach.engines.local.protocol import (
    PROTOCOL_VERSION,
    Done,
    Failed,
    Forget,
    FrameBuffer,
    Hello,
    Observe,
    Reply,
    Request,
    Seen,
    Shutdown,
    SocketFolder,
    Start,
    Stop,
    decode_request,
    frame,
    read_report,
)
from eisbach.engines.local.reach import open_the_way
from eisbach.engines.local.roster import Roster
from eisbach.engines.local.supervisor import REPORT_SOCKET, SupervisorSettings
from eisbach.ports import crash
from eisbach.ports.engine import EngineUnavailable, Observation, StaleEpoch

SOCKET = "socket"
EXIT_ANOTHER_RUNS = 3
_UNDECIDED_WAIT_S = 0.05
_QUIET_S = 2.0
_UNSENT_BYTES_MAX = 16 * 1024 * 1024
_LOG_BYTES_MAX = 1024 * 1024


class AgentSettings(msgspec.Struct, frozen=True):
    """What the server tells the agent when it starts it."""

    scratch: str
    separates_users: bool
    uses_cgroups: bool
    log_bytes_max: int
    crash_at: str = ""


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.incoming = FrameBuffer()
        self.outgoing = bytearray()
        self.subscribes = False


class Agent:
    """The event loop: everything happens on one thread, woken by descriptors only."""

    def __init__(self, settings: AgentSettings, layout: Layout, listener: socket.socket, reports: socket.socket) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._clients: dict[int, _Client] = {}
        self._launches: list[str] = []
        self._is_ending = False
        self._listener = listener
        self._reports = reports
        parents = cgroups.detect() if settings.uses_cgroups else cgroups.CgroupParents()
        self._roster = Roster(
            SupervisorSettings(
                layout=layout, parents=parents, boot_id=processes.boot_id(), log_bytes_max=settings.log_bytes_max
            ),
            settings.separates_users,
            self._watch,
            self._unwatch,
            self._publish,
        )
        self._watch(listener.fileno(), self._on_connection)
        self._watch(reports.fileno(), self._on_reports)
        self._watch(_wake_pipe(), self._on_signals)

    def run(self) -> None:
        """Recover, then serve until told to end."""
        self._roster.recover()
        gc.collect()
        gc.freeze()
        while not self._is_ending:
            events = self._epoll.poll(self._wait_s())
            for fd, event in events:
                client = self._clients.get(fd)
                if client is not None:
                    self._on_client(client, event)
                elif fd in self._callbacks:
                    self._callbacks[fd]()
            for attempt_id in self._launches:
                self._roster.launch(attempt_id)
            self._launches.clear()
            if self._roster.undecided:
                self._roster.look_again()
            if not events and self._roster.has_rubbish:
                self._roster.clear_up()

    def _wait_s(self) -> float:
        if self._roster.undecided:
            return _UNDECIDED_WAIT_S
        return _QUIET_S if self._roster.has_rubbish else -1

    def _watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def _unwatch(self, fd: int) -> None:
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def _publish(self, observation: Observation) -> None:
        data = frame(Seen([observation]))
        for client in list(self._clients.values()):
            if client.subscribes:
                self._send(client, data)

    def _on_connection(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _on_reports(self) -> None:
        while True:
            try:
                data = self._reports.recv(1 << 16)
            except BlockingIOError:
                return
            try:
                self._roster.on_report(read_report(data))
            except msgspec.DecodeError as error:
                _log(f"a report could not be read: {error}")

    def _on_signals(self) -> None:
        fd = next(fd for fd, callback in self._callbacks.items() if callback == self._on_signals)
        if signal.SIGTERM in os.read(fd, 512):
            self._is_ending = True
        self._roster.reap()

    def _on_client(self, client: _Client, event: int) -> None:
        if event & select.EPOLLOUT:
            self._flush(client)
        if not event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            return
        try:
            data = client.connection.recv(1 << 18)
            client.incoming.add(data)
            for body in client.incoming.bodies():
                self._send(client, frame(self._answer(client, decode_request(body))))
        except BlockingIOError:
            return
        except (OSError, ValueError, msgspec.DecodeError) as error:
            _log(f"a connection was closed: {error}")
            data = b""
        if not data:
            self._drop(client)

    def _answer(self, client: _Client, request: Request) -> Reply:
        try:
            return self._obey(client, request)
        except StaleEpoch as error:
            return Failed("stale_epoch", str(error))
        except ValueError as error:
            return Failed("invalid", str(error))
        except (OSError, EngineUnavailable) as error:
            return Failed("unavailable", str(error))

    def _obey(self, client: _Client, request: Request) -> Reply:
        match request:
            case Start(order):
                if self._roster.accept(order):
                    self._launches.append(order.attempt_id)
            case Stop(order):
                self._roster.stop(order)
            case Observe():
                return Seen(self._roster.observe())
            case Forget(attempt_id):
                self._roster.forget(attempt_id)
            case Shutdown():
                self._is_ending = True
            case Hello(version, subscribes):
                if version != PROTOCOL_VERSION:
                    return Failed("version", f"the agent speaks version {PROTOCOL_VERSION}, the server {version}")
                client.subscribes = subscribes
        return Done(pid=os.getpid())

    def _send(self, client: _Client, data: bytes) -> None:
        client.outgoing += data
        self._flush(client)
        if self._launches:
            crash.reached("engine.answered")
        if len(client.outgoing) > _UNSENT_BYTES_MAX:
            self._drop(client)  # it does not read; it will connect again and observe

    def _flush(self, client: _Client) -> None:
        fd = client.connection.fileno()
        if fd < 0:
            return
        try:
            while client.outgoing:
                del client.outgoing[: client.connection.send(client.outgoing)]
        except BlockingIOError:
            pass  # the rest goes when there is room
        except OSError:
            self._drop(client)
            return
        self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if client.outgoing else 0))

    def _drop(self, client: _Client) -> None:
        fd = client.connection.fileno()
        if fd >= 0:
            self._epoll.unregister(fd)
            del self._clients[fd]
            client.connection.close()


def _log(text: str) -> None:
    with suppress(OSError):  # a full disk
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _wake_pipe() -> int:
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wake_read


def _bind(folder: SocketFolder, name: str, kind: socket.SocketKind, path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.bind(folder.address(name))
    path.chmod(0o600)
    bound.setblocking(False)
    return bound


def _detach(log: Path) -> None:
    """Leave the starter: its descriptors, its session, its folder; return in a grandchild."""
    sys.stderr.flush()
    if os.fork() != 0:
        os._exit(0)
    os.chdir("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
        flags |= os.O_TRUNC
    error = os.open(log, flags, 0o600)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(error, 2)
    os.close(error)
    os.close(null)


def main(arguments: list[str]) -> NoReturn:
    """Run the agent of a home; exit 3 where another one runs. The starter's process ends when the sockets are there."""
    os.umask(0o077)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))  # two descriptors per supervisor
    settings = msgspec.json.decode(arguments[1], type=AgentSettings)
    layout = Layout(Path(arguments[0]), Path(settings.scratch))
    layout.make()
    make_scratch(layout.scratch, settings.separates_users)
    if settings.separates_users:
        with suppress(PermissionError):  # a container without this right: `isolation` says what jobs cannot reach
            open_the_way((layout.home, layout.scratch))
    lock = os.open(layout.agent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(EXIT_ANOTHER_RUNS)
    if settings.crash_at:
        crash.arm(settings.crash_at)
    folder = SocketFolder(layout.agent)
    listener = _bind(folder, SOCKET, socket.SOCK_STREAM, layout.agent / SOCKET)
    reports = _bind(folder, REPORT_SOCKET, socket.SOCK_DGRAM, layout.agent / REPORT_SOCKET)
    folder.close()
    listener.listen(64)
    _detach(layout.agent / "log")
    processes.become_subreaper()
    Agent(settings, layout, listener, reports).run()
    (layout.agent / SOCKET).unlink(missing_ok=True)
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
