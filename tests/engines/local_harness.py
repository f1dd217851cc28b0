"""A local engine in temporary folders, which leaves nothing behind when a test ends."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eisbach.engines.local.engine import LocalEngine
from eisbach.engines.local.logreader import NOTICE_STREAM
from eisbach.ports.engine import EngineUnavailable
from tests.contracts.engine_contract import Harness, a_stop

PATIENCE_S = 20.0


def wait_until(is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so; raise AssertionError where it never is."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@dataclass
class LocalHarness(Harness):
    """A local engine with what only it has."""

    engine: LocalEngine
    home: Path

    def log(self, attempt: str = "att_1") -> list[str]:
        """Return the text of all lines that the tasks wrote."""
        lines, offset = [], 0
        while True:
            page, following = self.engine.read_log(attempt, offset)
            lines += [line.text for line in page if line.stream != NOTICE_STREAM]
            if following == offset:
                return lines
            offset = following

    def kill_agent(self) -> None:
        """Kill the agent as a crash would."""
        pid = self.engine.agent_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    """Return whether no process with this pid runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def command_of(pid: int) -> bytes:
    """Return the command line of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def a_local_engine(tmp_path: Path, **options: Any) -> Iterator[LocalHarness]:
    """Yield a harness; at the end what runs is stopped and the agent is ended."""
    scratch = options.pop("scratch", None) or Path(tempfile.mkdtemp(prefix="eisbach-test-"))
    if scratch.exists():
        scratch.chmod(0o711)  # pytest's own folders are closed to the users of projects
    home = options.pop("home", tmp_path / "home")
    harness = LocalHarness(LocalEngine(home, scratch=scratch, **options), wait_until, home)
    try:
        yield harness
    finally:
        engine = harness.engine  # a test may have put another one in its place
        with suppress(EngineUnavailable):
            for seen in engine.observe():
                if seen.ending is None:
                    engine.stop(a_stop(seen.attempt_id, grace_ms=0, epoch=10**9))
            wait_until(lambda: all(seen.ending is not None for seen in engine.observe()))
        engine.shut_agent_down()
        engine.close()
        shutil.rmtree(scratch, ignore_errors=True)
