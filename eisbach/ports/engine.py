"""What the application needs from an engine: start, stop, observe, recover; extra powers are protocols of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from eisbach.core.jobs.lifecycle import StopCause
from eisbach.core.vocabulary.closed_enum import ClosedEnum


class TaskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One task of the gang: its rank, the node that holds it, and its share of that node.

    It has `gpu_milli` thousandths of each of its GPUs; `mig` is the profile where its part is a slice, which begins at the
    memory slice `slot`.
    """

    rank: int
    node_id: str
    cpu_milli: int
    memory_mib: int
    gpu_indices: tuple[int, ...] = ()
    gpu_milli: int = 1000
    mig: str = ""
    slot: int = 0


class DataOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that each task finds, not to be changed, as `data/NAME/FILE` in its workspace.

    `folder` has its chunks: files named `<number>-<sha256>` that in the order of their names make up its `size` bytes;
    `manifest` is the hash of their list (ports/objects.manifest_of). EISBACH_DATA_NAME tells a task the folder.
    """

    name: str
    file_name: str
    data_set: str
    folder: Path
    size: int
    manifest: str


class StartOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine needs to run one attempt; the same attempt id again must change nothing.

    `epoch` is the leader's: an engine refuses orders of an epoch older than the newest it saw.
    `limit_ms` is what is left of the job's time limit: the engine itself signals at the limit and kills after
    `grace_ms`. `checkpoint_path` is a folder relative to each task's workspace that is one and the same for all
    tasks and attempts of the job. `workdir` is an archive (tar, optionally compressed) to unpack, or None.
    `secrets` are resolved values; they must never reach a log, a status output or a world-readable file.
    """

    attempt_id: str
    attempt_number: int
    job_id: str
    job_name: str
    project_id: str
    epoch: int
    tasks: tuple[TaskOrder, ...]
    run: str
    setup: str = ""
    envs: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    workdir: Path | None = None
    data: tuple[DataOrder, ...] = ()
    outputs: tuple[str, ...] = ()
    limit_ms: int
    grace_ms: int
    checkpoint_signal: str = "SIGTERM"
    checkpoint_path: str = "checkpoints"


class StopOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Ask an attempt to stop, `notice_ms` from now: checkpoint signal, then SIGTERM, then after `grace_ms` SIGKILL for all it started.

    It may be given again; the earliest signal holds.
    """

    attempt_id: str
    epoch: int
    cause: StopCause
    grace_ms: int
    notice_ms: int = 0


class Ending(ClosedEnum):
    """How an engine saw an attempt end; whose fault that is, is not the engine's to say."""

    EXITED = "exited"  # every task exited with 0
    FAILED = "failed"  # a task exited with another code or was killed by a signal not sent by the engine
    OUT_OF_MEMORY = "out_of_memory"  # a task went over its memory share
    TIMED_OUT = "timed_out"  # the limit was reached
    STOPPED = "stopped"  # a StopOrder did it
    REFUSED = "refused"  # could not be started through a fault of the request (bad archive, outputs outside ...)
    DISK_FULL = "disk_full"  # the engine's own disk was full
    LOST = "lost"  # the engine lost it: its supervisor died, the machine restarted
    NODE_LOST = "node_lost"  # a node of its gang is gone: `Observation.node` says which


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt used, over all tasks; `memory_is_polled` where no cgroup measured it."""

    cpu_ms: int = 0
    memory_peak_mib: int = 0
    memory_is_polled: bool = False
    log_bytes: int = 0
    log_dropped_bytes: int = 0


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine saw of one attempt.

    `running_since_ms` (UTC) is None until every task runs. `held_ms` is measured on CLOCK_BOOTTIME from the moment all
    tasks run to the end of the last process (so far, while it runs); 0 where they never all ran.
    `ending` is None while it runs. `exit_code` is that of the first task that failed (128 + signal where killed),
    `rank` its rank, `node` the node that is gone. `detail` is one short sentence, free of tenants' text.
    """

    attempt_id: str
    running_since_ms: int | None
    held_ms: int
    ending: Ending | None = None
    ended_at_ms: int | None = None
    exit_code: int | None = None
    rank: int | None = None
    node: str = ""
    detail: str = ""
    usage: Usage = Usage()


class EngineUnavailable(Exception):
    """The engine cannot be reached or cannot take the order now; the order may be repeated."""


class StaleEpoch(Exception):
    """The order came from a leader that is no longer one."""


class Engine(Protocol):
    """A driver. Orders are idempotent by attempt id and durable when the call returns."""

    def start(self, order: StartOrder) -> None:
        """Begin an attempt at most once, ever; raise EngineUnavailable or StaleEpoch."""

    def stop(self, order: StopOrder) -> None:
        """Ask an attempt to stop; one that the engine never saw is remembered so that a late start does nothing."""

    def observe(self) -> Sequence[Observation]:
        """Return what the engine knows of every attempt that was not forgotten, in order of attempt id."""

    def recover(self) -> None:
        """Take over what an earlier process of this engine left: running work goes on, ended work is reported."""

    def subscribe(self, callback: Callable[[Observation], None]) -> None:
        """Call `callback` (from any thread) soon after an attempt runs or has ended; observe() stays the truth."""

    def forget(self, attempt_id: str) -> None:
        """The outcome is stored for good: scratch space may go, logs and artifacts stay."""

    def close(self) -> None:
        """Let go of the engine; work that runs keeps running."""


@runtime_checkable
class TellsSinceWhen(Protocol):
    """An engine that tells since when attempts hold their capacity without looking at each of them."""

    def since_when(self) -> tuple[int, Mapping[str, int]]:
        """Return the instant now, and since when every attempt that is not over runs (later than now: it will), on one clock.

        The mapping may be the engine's own and is only good until it is told something.
        """


@runtime_checkable
class CanCheckpoint(Protocol):
    """An engine that knows when running work last saved its state."""

    def saved_at(self, running: Mapping[str, str]) -> Mapping[str, int]:
        """Return attempt -> UTC milliseconds of its job's newest checkpoint, for those of which one is known.

        `running` are attempts with their jobs.
        """


@runtime_checkable
class SavesRegularly(Protocol):
    """An engine all of whose work saves its state regularly, so that nobody has to ask about each attempt."""

    def saves_each_ms(self) -> int:
        """Return how long work runs until it saves, from when it began to run or last saved; more than 0."""


@runtime_checkable
class KnowsItsWork(Protocol):
    """An engine that knows from elsewhere what a job does: it is told which attempt runs, and no task file is read."""

    def begin(self, attempt_id: str, job_id: str, tasks: int, limit_ms: int, epoch: int) -> None:
        """Begin an attempt of so many tasks at most once, ever; raise EngineUnavailable or StaleEpoch."""


class LogLine(msgspec.Struct, frozen=True):
    """A captured line: when, which task, which stream (`stdout`, `stderr`; `notice` is the engine's own), its text.

    `is_part` is true for a part of a very long line that goes on in the next LogLine of that rank and stream.
    """

    offset: int
    at_ms: int
    rank: int
    stream: str
    text: str
    is_part: bool = False


@runtime_checkable
class CanStreamLogs(Protocol):
    """An engine that keeps the output of attempts."""

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        """Return lines from `offset` on (opaque, 0 is the start) and the offset to go on from."""


class Artifact(msgspec.Struct, frozen=True):
    """A file that a job left: path relative to its rank's workspace, size, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@runtime_checkable
class CanKeepArtifacts(Protocol):
    """An engine that keeps the outputs of attempts."""

    def artifacts(self, attempt_id: str) -> Sequence[Artifact]:
        """Return the artifacts of an ended attempt, sorted by path."""

    def read_artifact(self, attempt_id: str, path: str) -> Iterator[bytes]:
        """Yield the bytes of one artifact; raise FileNotFoundError where it is not on the list."""


class GoneNode(msgspec.Struct, frozen=True):
    """A node that an engine can no longer rely on: it does not answer, or its heartbeat stays out since `since_ms`."""

    node: str
    since_ms: int
    detail: str = ""


@runtime_checkable
class CanWatchNodes(Protocol):
    """An engine that notices when a node is gone; its attempts there end with Ending.NODE_LOST by themselves."""

    def gone_nodes(self) -> Sequence[GoneNode]:
        """Return the nodes that are gone now, by name; one that came back is no longer among them."""


class Remains(Enum):
    """What an engine keeps of a job after its end."""

    CHECKPOINTS = "checkpoints"
    OUTPUTS = "outputs"
    LOGS = "logs"


IsOver = Callable[[str, int], bool]
"""(job id, instant in UTC milliseconds of the last change to what is kept) -> whether that may be deleted"""


@runtime_checkable
class CanExpire(Protocol):
    """An engine that keeps something after the end of a job and can let it go."""

    def expire(self, kind: Remains, is_over: IsOver) -> int:
        """Delete what of this kind is kept of each job for which `is_over` says so; return of how many there was any.

        Work that the engine knows and did not forget keeps all that is its, whatever `is_over` says. An attempt whose
        remains are deleted still never starts again. What cannot be deleted is logged and met again the next time.
        """
