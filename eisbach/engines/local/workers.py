"""Supervisor processes from the agent's side: forked when needed, reused while warm, watched by pidfd.

A worker supervises one attempt at a time. A fork costs about 0.7 ms, but the pages that a fresh copy of an interpreter
touches cost four times that, so one that has just become idle takes the next attempt; after a second it ends.
"""

import os
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from eisbach.engines.local import processes
from eisbach.engines.local.durable import log_error
from eisbach.engines.local.folder import OrderFile
from eisbach.engines.local.private_memory import PrivateMemory
from eisbach.engines.local.protocol import decode_other, encode_other
from eisbach.engines.local.supervisor import Supervisor, SupervisorSettings, take_signals

_IDLE = b"i"
_IDLE_S = 1.0
_JOB_BYTES_MAX = 128 * 1024


class Job(msgspec.Struct, frozen=True):
    """What a worker is handed: an order and the values of its secrets, never written anywhere."""

    order_file: OrderFile
    secrets: tuple[tuple[str, str], ...]


_encoder = msgspec.msgpack.Encoder(enc_hook=encode_other)
_jobs = msgspec.msgpack.Decoder(Job, dec_hook=decode_other)


@dataclass(slots=True, eq=False)
class Worker:
    """A supervisor process; `channel` is None where an earlier agent forked it."""

    pid: int
    pidfd: int
    channel: socket.socket | None
    attempt_id: str | None

    def pass_on_stop(self) -> None:
        """Have it look at the stop order of its attempt."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGUSR1)
        except ProcessLookupError:
            return  # it has just ended: its outcome says how


class Workers:
    """All living supervisors; `on_free(attempt_id)` is told when one is done with an attempt or died over it."""

    def __init__(
        self,
        settings: SupervisorSettings,
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], None],
        on_free: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._unwatch = unwatch
        self._on_free = on_free
        self._all: dict[int, Worker] = {}
        self._idle: list[Worker] = []

    def pids(self) -> set[int]:
        """Return the pids of all workers."""
        return set(self._all)

    def begin(self, attempt_id: str, job: Job) -> Worker:
        """Have an idle worker or a new one supervise an attempt."""
        data = _encoder.encode(job)
        while self._idle and len(data) < _JOB_BYTES_MAX:
            worker = self._idle.pop()
            try:
                if worker.channel is not None:
                    worker.channel.send(data)
                    worker.attempt_id = attempt_id
                    return worker
            except OSError:
                continue  # it is about to end
        return self._fork(attempt_id, job)

    def adopt(self, attempt_id: str, pid: int, pidfd: int) -> Worker:
        """Watch a supervisor that an earlier agent forked."""
        worker = Worker(pid, pidfd, None, attempt_id)
        self._all[pid] = worker
        self._watch(pidfd, lambda: self._on_end(worker))
        return worker

    def _fork(self, attempt_id: str, job: Job) -> Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            _be_worker(self._settings, theirs, job)
        theirs.close()
        ours.setblocking(False)
        worker = self.adopt(attempt_id, pid, os.pidfd_open(pid))
        worker.channel = ours
        self._watch(ours.fileno(), lambda: self._on_message(worker))
        return worker

    def _on_message(self, worker: Worker) -> None:
        if worker.channel is None:
            return
        try:
            said = worker.channel.recv(64)
        except BlockingIOError:
            return
        except ConnectionError:
            said = b""
        if said:
            self._idle.append(worker)
            self._free(worker)
        else:
            self._close_channel(worker)

    def _on_end(self, worker: Worker) -> None:
        self._close_channel(worker)
        self._unwatch(worker.pidfd)
        os.close(worker.pidfd)
        del self._all[worker.pid]
        self._free(worker)

    def _close_channel(self, worker: Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.channel is not None:
            self._unwatch(worker.channel.fileno())
            worker.channel.close()
            worker.channel = None

    def _free(self, worker: Worker) -> None:
        attempt_id, worker.attempt_id = worker.attempt_id, None
        if attempt_id is not None:
            self._on_free(attempt_id)


def _be_worker(settings: SupervisorSettings, channel: socket.socket, first: Job) -> NoReturn:
    """Supervise, in a freshly forked process; an error ends it, and the agent reports the attempt as lost."""
    try:
        signal.set_wakeup_fd(-1)
        os.closerange(3, channel.fileno())
        os.closerange(channel.fileno() + 1, 1 << 20)
        os.setsid()
        processes.become_subreaper()
        processes.renounce_privileges()  # what the tasks inherit
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        wake_fd = take_signals()
        memory = PrivateMemory()
        job: Job | None = first
        while job is not None:
            is_fit = Supervisor(settings, job.order_file, job.secrets, memory).run(wake_fd)
            job = _next_job(channel) if is_fit else None
    except BaseException:  # noqa: BLE001 - nothing may run on as a copy of the agent
        log_error()
    finally:
        os._exit(0)


def _next_job(channel: socket.socket) -> Job | None:
    """Return the next attempt, None where there is none for a while or the agent is gone."""
    try:
        channel.send(_IDLE)
        channel.settimeout(_IDLE_S)
        data = channel.recv(_JOB_BYTES_MAX)
    except OSError:
        return None
    return _jobs.decode(data) if data else None
