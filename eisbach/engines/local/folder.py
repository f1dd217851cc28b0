"""The files of one attempt and their order, which makes an attempt start at most once.

`order` (durable, secrets without values) -> `lock` held by the supervisor -> `started` (durable; its existence forbids a
second start for ever) -> `running` -> `outcome` (durable, in space reserved with the order). `stop` may come any time.
"""

import fcntl
import os
from pathlib import Path

import msgspec

from eisbach.engines.local import durable
from eisbach.engines.local.layout import FORMAT_VERSION
from eisbach.engines.local.protocol import decode_other, encode_other
from eisbach.ports.engine import Artifact, Observation, StartOrder, StopOrder

OUTCOME_BYTES = 4096


class OrderFile(msgspec.Struct, frozen=True):
    """The order as it lies on disk, with what the agent added: port and user id of the project."""

    order: StartOrder
    needs_secrets: bool
    port: int
    user_id: int | None
    version: int = FORMAT_VERSION


class MarkerFile(msgspec.Struct, frozen=True):
    """Who supervises: a pid counts only with its start time and the boot id."""

    pid: int
    start: int
    boot_id: str
    groups: list[str]
    version: int = FORMAT_VERSION


class RunningFile(msgspec.Struct, frozen=True):
    """When all tasks ran, on both clocks, and the sessions that the tasks lead."""

    wall_ms: int
    boottime_ms: int
    sessions: list[int]
    version: int = FORMAT_VERSION


class OutcomeFile(msgspec.Struct, frozen=True):
    """How it ended."""

    observation: Observation
    version: int = FORMAT_VERSION


_encoder = msgspec.json.Encoder(enc_hook=encode_other)
_orders = msgspec.json.Decoder(OrderFile, dec_hook=decode_other)
_markers = msgspec.json.Decoder(MarkerFile)
_runnings = msgspec.json.Decoder(RunningFile)
_outcomes = msgspec.json.Decoder(OutcomeFile)
_stops = msgspec.json.Decoder(StopOrder)
_artifacts = msgspec.json.Decoder(list[Artifact])


class AttemptFolder:
    """Reads and writes the files of one attempt."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """Return the folder of the log's segments."""
        return self.path / "log"

    def create(self, order: OrderFile) -> None:
        """Write the order durably and set space for the outcome aside; raise OSError (ENOSPC) leaving no order."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.log.mkdir(mode=0o700, exist_ok=True)
        durable.reserve(self.path / "outcome.reserved", OUTCOME_BYTES)
        durable.write_file(self.path / "order", _encoder.encode(order), durable=True)
        durable.sync_folder(self.path.parent)

    def create_without_order(self) -> None:
        """Make the folder of an attempt that is stopped before it was ever ordered."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        durable.reserve(self.path / "outcome.reserved", OUTCOME_BYTES)

    def read_order(self) -> OrderFile | None:
        """Return the order."""
        data = durable.read_file(self.path / "order")
        return None if data is None else _orders.decode(data)

    def try_lock(self) -> int | None:
        """Return a descriptor that holds the attempt's lock, None where another process holds it."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def is_started(self) -> bool:
        """Return whether the marker exists."""
        return (self.path / "started").exists()

    def write_marker(self, marker: MarkerFile) -> None:
        """Forbid any other start, durably."""
        durable.write_file(self.path / "started", _encoder.encode(marker), durable=True)

    def read_marker(self) -> MarkerFile | None:
        """Return the marker."""
        data = durable.read_file(self.path / "started")
        return None if data is None else _markers.decode(data)

    def write_running(self, running: RunningFile) -> None:
        """Note since when it runs; after a crash of the machine it counts as lost anyway, so it is not synced."""
        durable.write_file(self.path / "running", _encoder.encode(running), durable=False)

    def read_running(self) -> RunningFile | None:
        """Return since when it runs."""
        data = durable.read_file(self.path / "running")
        return None if data is None else _runnings.decode(data)

    def write_stop(self, order: StopOrder) -> None:
        """Keep the newest stop order, durably."""
        durable.write_file(self.path / "stop", _encoder.encode(order), durable=True)

    def read_stop(self) -> StopOrder | None:
        """Return the newest stop order."""
        data = durable.read_file(self.path / "stop")
        return None if data is None else _stops.decode(data)

    def write_artifacts(self, artifacts: list[Artifact]) -> None:
        """Write the list of kept outputs durably."""
        durable.write_file(self.path / "artifacts", _encoder.encode(artifacts), durable=True)

    def read_artifacts(self) -> list[Artifact]:
        """Return the list of kept outputs, empty where there is none."""
        data = durable.read_file(self.path / "artifacts")
        return [] if data is None else _artifacts.decode(data)

    def write_outcome(self, observation: Observation) -> None:
        """Write how it ended, durably, into the space set aside for it."""
        data = _encoder.encode(OutcomeFile(observation))
        durable.write_reserved(self.path / "outcome.reserved", self.path / "outcome", data)

    def read_outcome(self) -> Observation | None:
        """Return how it ended."""
        data = durable.read_file(self.path / "outcome")
        return None if data is None else _outcomes.decode(data).observation

    def last_change_ms(self) -> int:
        """Return when anything in the folder was last written (UTC milliseconds): the last sign of life."""
        newest = 0
        for folder in (self.path, self.log):
            if folder.is_dir():
                newest = max([newest, *(entry.stat().st_mtime_ns for entry in os.scandir(folder))])
        return newest // 1_000_000
