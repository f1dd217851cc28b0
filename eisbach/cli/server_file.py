"""The file in a home that names its running server, and how to be sure that a process is that one: never a pid alone."""

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

    def is_alive(self) -> bool:
        """Return whether that process still runs: same boot, same pid, same start."""
        return self.boot == boot_id() and self.started == process_start(self.pid)


def read_server_file(home: Path) -> ServerFile | None:
    """Return what the home's file says, None where there is none, or none that can be understood."""
    try:
        values = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            return None
        return ServerFile(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def running_server(home: Path) -> ServerFile | None:
    """Return the server of this home if it runs."""
    found = read_server_file(home)
    return found if found is not None and found.is_alive() else None


def write_server_file(home: Path, url: str, token_file: Path | None) -> ServerFile:
    """Say that this process serves the home; mode 0600."""
    pid = os.getpid()
    made = ServerFile(
        pid=pid,
        started=process_start(pid) or 0,
        boot=boot_id(),
        url=url,
        token_file=None if token_file is None else str(token_file),
    )
    draft = home / f".{FILE_NAME}.{pid}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **asdict(made)}, file)
    os.replace(draft, home / FILE_NAME)
    return made


def remove_server_file(home: Path) -> None:
    """Take back that this process serves the home; another process's file stays."""
    found = read_server_file(home)
    if found is not None and found.pid == os.getpid():
        (home / FILE_NAME).unlink(missing_ok=True)


def process_start(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc(5), field 22 of stat), None when it is gone.

    A process that has ended and only waits for its parent counts as gone.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = text.rpartition(")")[2].split()
    return None if after_name[0] in ("Z", "X") else int(after_name[19])


def boot_id() -> str:
    """Return the id of this boot of the machine, so that ticks of another boot are never taken for ours."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
