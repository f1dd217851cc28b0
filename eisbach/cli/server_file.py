"""The file in a home that names its server: which process, since when, at which address."""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from eisbach import __version__

FILE_NAME = "server.json"
FORMAT = "eisbach.server/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFile:
    """Which process serves a home, and where. `started` are clock ticks since boot, `boot` is the boot's id."""

    pid: int
    started: int
    boot: str
    url: str
    token_file: str | None = None
    version: str = __version__


def read_server_file(home: Path) -> ServerFile | None:
    """Return what the home's file says, None where there is none, or none that can be understood."""
    try:
        values = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            return None
        return ServerFile(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_server_file(home: Path, made: ServerFile) -> None:
    """Write the file, mode 0600, whole or not at all."""
    draft = home / f".{FILE_NAME}.{made.pid}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **asdict(made)}, file)
    os.replace(draft, home / FILE_NAME)


def remove_server_file(home: Path) -> None:
    """Take back that this process serves the home; another process's file stays."""
    found = read_server_file(home)
    if found is not None and found.pid == os.getpid():
        (home / FILE_NAME).unlink(missing_ok=True)
