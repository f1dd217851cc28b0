"""The factory on this machine: the one place where the command line touches the composition root."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode


class ReadyFacts(Protocol):
    """What a server says once it takes work."""

    @property
    def url(self) -> str: ...
    @property
    def home(self) -> Path: ...
    @property
    def first_token_path(self) -> Path | None: ...
    @property
    def isolation(self) -> str: ...
    @property
    def gpus(self) -> Sequence[str]: ...
    @property
    def flavours(self) -> Sequence[str]: ...


class Wiring(Protocol):
    """What eisbach.wiring gives to the command line."""

    CannotStart: type[Exception]

    def stop_agent(self, home: Path) -> int:
        """End the resident agent of a home; return how many attempts go on without it."""

    def backup(self, home: Path, file: Path) -> Any:
        """Write the home into a file."""

    def restore(self, home: Path, file: Path) -> Any:
        """Make a home from a file."""

    def check(self, home: Path) -> Sequence[str]:
        """Return what contradicts itself in a home's store, nothing where all is well."""


def wiring() -> Wiring:
    """Return the composition root, imported now: it brings the whole server with it."""
    try:
        return cast(Wiring, importlib.import_module("eisbach.wiring"))
    except ModuleNotFoundError as error:
        raise CliError(
            f"This installation cannot run a factory: {error.name} is missing",
            "Install Eisbach anew with `pip install eisbach`",
        ) from error


def start(home: Path, host: str, port: int, on_ready: Callable[[Any], None]) -> int:
    """Serve a home until told to stop and return an exit code; raise CannotStart with what is wrong."""
    server: Any = importlib.import_module("eisbach.cli.server_main")
    return int(server.start(home, host, port, on_ready))


def told(error: Exception) -> CliError:
    """Return the error of a home that cannot be used, as the composition root or the store said it."""
    return CliError(str(error), code=ExitCode.UNAVAILABLE)
