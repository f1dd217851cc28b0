"""The local engine as the application sees it: a client of the resident agent that starts it where it is missing."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

import eisbach
from eisbach.engines.local.agent import EXIT_ANOTHER_RUNS, SOCKET, AgentSettings
from eisbach.engines.local.expiry import expire
from eisbach.engines.local.folder import AttemptFolder
from eisbach.engines.local.layout import LOG_BYTES_MAX, SCRATCH_ROOT, Layout, choose_scratch
from eisbach.engines.local.logreader import deleted_log, read_lines
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
    frame,
    receive_reply,
)
from eisbach.engines.local.reach import closed_before_python
from eisbach.engines.local.users import isolation_sentence, separates_users
from eisbach.ports import crash
from eisbach.ports.engine import (
    Artifact,
    EngineUnavailable,
    GoneNode,
    IsOver,
    LogLine,
    Observation,
    Remains,
    StaleEpoch,
    StartOrder,
    StopOrder,
)

_ANSWER_TIMEOUT_S = 30.0
_START_TIMEOUT_S = 15.0
_RECONNECT_S = 0.2
_TRIES = 4
_LOG_LOOK_S = 0.05


class _OtherVersion(ConnectionError):
    """The agent is of another version of Eisbach."""


class LocalEngine:
    """Runs attempts as processes of this machine. Safe for use from several threads."""

    def __init__(
        self,
        home: Path,
        *,
        scratch: Path | None = None,
        scratch_root: Path = SCRATCH_ROOT,
        separate_users: bool = True,
        use_cgroups: bool = True,
        log_bytes_max: int = LOG_BYTES_MAX,
        crash_at: str | None = None,
    ) -> None:
        """Name the engine of a home; nothing is started before the first call.

        `scratch` is where workspaces and checkpoints lie (by default in the home, or beside it or below `scratch_root`
        where other users must reach it and cannot reach the home). `separate_users` gives each project a user id where
        the engine runs as root. `crash_at` arms a crash point in the first agent that is started and its supervisors,
        by default what is armed in this process.
        A running agent keeps the settings that it was started with.
        """
        self._separates = separates_users(separate_users)
        home = home.absolute()
        self._layout = Layout(home, scratch or choose_scratch(home, self._separates, scratch_root))
        self._settings = AgentSettings(
            str(self._layout.scratch),
            self._separates,
            use_cgroups,
            log_bytes_max,
            crash.armed() if crash_at is None else crash_at,
        )
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._buffer = FrameBuffer()
        self._secret_orders: dict[str, StartOrder] = {}
        self._callbacks: list[Callable[[Observation], None]] = []
        self._reader: threading.Thread | None = None
        self._pushes: socket.socket | None = None
        self._is_closed = False

    @property
    def isolation(self) -> str:
        """Return a sentence on what keeps projects apart."""
        closed = closed_before_python(Path(f"/proc/{self.agent_pid()}/root")) if self._separates else None
        return isolation_sentence(self._layout, self._separates, closed)

    @property
    def scratch(self) -> Path:
        """Return the folder of workspaces and checkpoints."""
        return self._layout.scratch

    def start(self, order: StartOrder) -> None:
        """Begin an attempt at most once; raise EngineUnavailable, StaleEpoch, or ValueError for an impossible id."""
        self._ask(Start(order))
        if order.secrets:
            self._secret_orders[order.attempt_id] = order

    def stop(self, order: StopOrder) -> None:
        """Ask an attempt to stop."""
        self._ask(Stop(order))

    def observe(self) -> Sequence[Observation]:
        """Return what is known of every attempt that was not forgotten, in order of attempt id."""
        reply = self._ask(Observe())
        if not isinstance(reply, Seen):
            raise EngineUnavailable("the agent gave another answer than was asked for")
        for seen in reply.observations:
            self._drop_secrets(seen)
        return reply.observations

    def recover(self) -> None:
        """Take over what runs: the agent starts if there is none, and goes on where the last one stopped."""
        self._ask(Observe())

    def subscribe(self, callback: Callable[[Observation], None]) -> None:
        """Call `callback` from a thread of the engine's own for what changes from now on."""
        self._callbacks.append(callback)
        if self._reader is None:
            is_subscribed = threading.Event()
            self._reader = threading.Thread(
                target=self._read_pushes, args=(is_subscribed,), name="engine-pushes", daemon=True
            )
            self._reader.start()
            is_subscribed.wait(_START_TIMEOUT_S)

    def forget(self, attempt_id: str) -> None:
        """Let the scratch space of an ended attempt go."""
        self._ask(Forget(attempt_id))
        self._secret_orders.pop(attempt_id, None)

    def gone_nodes(self) -> Sequence[GoneNode]:
        """Return none: its only node is this machine, which is there while anybody asks."""
        return ()

    def close(self) -> None:
        """Let go of the agent; it and all work run on."""
        self._is_closed = True
        with self._lock:
            self._disconnect()
        if self._pushes is not None:
            try:
                self._pushes.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side was faster

    def shut_agent_down(self) -> None:
        """End the agent, for `eisbach down`; supervisors and their work run on, the next start takes them over."""
        with self._lock:
            try:
                self._connect(starts_agent=False)
                self._exchange(Shutdown())
            except (OSError, EngineUnavailable):
                return  # there is none
            finally:
                self._disconnect()

    def agent_pid(self) -> int:
        """Return the process id of the agent."""
        reply = self._ask(Hello(PROTOCOL_VERSION))
        return reply.pid if isinstance(reply, Done) else 0

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        """Return lines from `offset` on and the offset to go on from; reads files, needs no agent."""
        path = self._layout.find_attempt(attempt_id)
        if path is None:
            return [], offset
        folder = AttemptFolder(path)
        if folder.log_was_deleted:
            return deleted_log(offset)
        return read_lines(folder.log, offset, lines_max)

    def wait_log(self, attempt_id: str, offset: int, timeout_s: float) -> bool:
        """Return True as soon as the log has something after `offset`, False when the time is over."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self.read_log(attempt_id, offset, 1)[0]:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _LOG_LOOK_S))

    def artifacts(self, attempt_id: str) -> Sequence[Artifact]:
        """Return the artifacts of an ended attempt, sorted by path."""
        folder = self._layout.find_attempt(attempt_id)
        return [] if folder is None else AttemptFolder(folder).read_artifacts()

    def read_artifact(self, attempt_id: str, path: str) -> Iterator[bytes]:
        """Yield the bytes of one artifact; raise FileNotFoundError where it is not on the list."""
        folder = self._layout.find_attempt(attempt_id)
        order_file = None if folder is None else AttemptFolder(folder).read().order
        if order_file is None or path not in {artifact.path for artifact in self.artifacts(attempt_id)}:
            raise FileNotFoundError(f"attempt {attempt_id} has no artifact {path!r}")
        return _read_chunks(self._layout.artifacts(order_file.order.job_id, attempt_id) / path)

    def expire(self, kind: Remains, is_over: IsOver) -> int:
        """Delete what of this kind is kept of jobs that are over; works on files, needs no agent, may take long."""
        return expire(self._layout, kind, is_over)

    def saved_at(self, running: Mapping[str, str]) -> dict[str, int]:
        """Return when an entry of each folder of checkpoints last came or was renamed; reads files, needs no agent.

        That is how a checkpoint that is whole shows itself: what a log or a curve beside it gets appended does not count. It is
        the change time (ctime), which no tenant sets to a time of his choice.
        """
        found: dict[str, int] = {}
        for name, job in running.items():
            with suppress(OSError):  # it never saved
                found[name] = os.lstat(self._layout.checkpoint(job)).st_ctime_ns // 1_000_000
        return found

    def _ask(self, request: Request) -> Reply:
        """Send a request and return its answer; an order is idempotent, so it is repeated when the agent dies over it."""
        with self._lock:
            for tries_left in reversed(range(_TRIES)):
                try:
                    self._connect(starts_agent=True)
                    return self._exchange(request)
                except (OSError, msgspec.DecodeError) as error:
                    self._disconnect()
                    if tries_left == 0 or isinstance(error, TimeoutError):
                        raise EngineUnavailable(f"the agent of {self._layout.home} does not answer: {error}") from error
        raise AssertionError("unreachable")

    def _exchange(self, request: Request) -> Reply:
        if self._connection is None:
            raise ConnectionError("not connected")
        self._connection.sendall(frame(request))
        reply = receive_reply(self._connection, self._buffer)
        if isinstance(reply, Failed):
            if reply.kind == "stale_epoch":
                raise StaleEpoch(reply.text)
            if reply.kind == "version":
                raise _OtherVersion(reply.text)
            if reply.kind == "invalid":
                raise ValueError(reply.text)
            raise EngineUnavailable(reply.text)
        return reply

    def _connect(self, *, starts_agent: bool) -> None:
        """Connect if that is needed; repeat the orders whose secrets a dead agent may have taken with it."""
        if self._connection is not None:
            return
        self._connection = self._open(starts_agent)
        self._buffer = FrameBuffer()
        try:
            self._exchange(Hello(PROTOCOL_VERSION))
        except _OtherVersion:
            self._exchange(Shutdown())  # one from before an upgrade: work outlives it, a new one takes over
            raise
        for order in list(self._secret_orders.values()):
            self._exchange(Start(order))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, starts_agent: bool) -> socket.socket:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                return self._open_once()
            except (ConnectionError, FileNotFoundError):
                if not starts_agent or time.monotonic() > deadline:
                    raise
            if self._start_agent() == EXIT_ANOTHER_RUNS:
                time.sleep(0.05)  # it is about to listen or about to end

    def _open_once(self) -> socket.socket:
        folder = SocketFolder(self._layout.agent)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_ANSWER_TIMEOUT_S)
            connection.connect(folder.address(SOCKET))
        except BaseException:
            connection.close()
            raise
        finally:
            folder.close()
        return connection

    def _start_agent(self) -> int:
        """Start an agent and wait until it listens; return the starter's exit code."""
        command = [sys.executable, "-m", "eisbach.engines.local.agent", str(self._layout.home)]
        command.append(msgspec.json.encode(self._settings).decode())
        self._settings = msgspec.structs.replace(self._settings, crash_at="")
        try:
            started = subprocess.run(
                command,
                cwd=Path(eisbach.__file__).parent.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_START_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineUnavailable(f"the agent did not start within {_START_TIMEOUT_S:g} seconds") from error
        if started.returncode not in (0, EXIT_ANOTHER_RUNS):
            said = started.stderr.decode("utf-8", "replace").strip().splitlines()
            raise EngineUnavailable(f"the agent did not start: {said[-1] if said else started.returncode}")
        return started.returncode

    def _drop_secrets(self, seen: Observation) -> None:
        if seen.running_since_ms is not None or seen.ending is not None:
            self._secret_orders.pop(seen.attempt_id, None)

    def _read_pushes(self, is_subscribed: threading.Event) -> None:
        """Follow the agent; when it dies, have the next one started, and tell all that it knows."""
        is_first = True
        while not self._is_closed:
            try:
                self._pushes = connection = self._open(starts_agent=True)
                connection.settimeout(None)
                buffer = FrameBuffer()
                connection.sendall(frame(Hello(PROTOCOL_VERSION, subscribes=True)))
                receive_reply(connection, buffer)
                is_subscribed.set()
                if not is_first:
                    self._tell(list(self.observe()))  # what happened while nobody listened
                is_first = False
                while True:
                    reply = receive_reply(connection, buffer)
                    if isinstance(reply, Seen):
                        self._tell(reply.observations)
            except (OSError, EngineUnavailable, StaleEpoch, ValueError):  # a DecodeError is a ValueError
                if self._pushes is not None:
                    self._pushes.close()
                if not self._is_closed:
                    time.sleep(_RECONNECT_S)

    def _tell(self, observations: Sequence[Observation]) -> None:
        for seen in observations:
            self._drop_secrets(seen)
            for callback in self._callbacks:
                callback(seen)


def _read_chunks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while data := file.read(1 << 18):
            yield data
