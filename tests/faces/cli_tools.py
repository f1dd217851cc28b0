"""What the tests of the command line work with: a command run in this process, against an API that really listens."""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from eisbach.api.server import create_app
from eisbach.cli.main import main

if TYPE_CHECKING:
    import pytest

    from tests.faces.conftest import World


ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """Return what it printed as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def run_cli(*arguments: str) -> Ran:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


def run_program(*arguments: str) -> Ran:
    """Run a command line in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "eisbach", *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


class Listening:
    """The API of a world on a port of this machine; it can go away and come back at the same port."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        config = uvicorn.Config(
            create_app(self._world.application), host="127.0.0.1", port=self._port, log_config=None, lifespan="off", ws="none",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        ready = threading.Event()
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended at its start"
            ready.wait(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


NOWHERE = "http://127.0.0.1:9"


def own_environment(monkeypatch: "pytest.MonkeyPatch", tmp_path: Path) -> None:
    """Give a test an environment of its own: no factory is known, and the XDG folders are below its folder."""
    for name in ("EISBACH_URL", "EISBACH_TOKEN", "EISBACH_PROJECT", "EISBACH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@contextlib.contextmanager
def listening(world: "World", environment: Any, token: str) -> Iterator[Listening]:
    """Listen, with the command line's environment pointing there as this token."""
    server = Listening(world)
    environment.setenv("EISBACH_URL", server.url)
    environment.setenv("EISBACH_TOKEN", token)
    try:
        yield server
    finally:
        server.stop()


def lines_of(text: str) -> Sequence[str]:
    """Return the lines of a table without the blanks at their ends."""
    return [line.rstrip() for line in text.splitlines()]
