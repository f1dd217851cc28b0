"""The server process of a home: whether it runs, and how it is stopped. Pid, start and boot must agree, never a pid alone."""

import os
import signal
import time
from pathlib import Path

from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.server_file import ServerFile, read_server_file
from eisbach.engines.local.processes import boot_id, look_up, open_exact

POLL_S = 0.05


def this_process(url: str, token_file: Path | None) -> ServerFile:
    """Return what names this process as the server."""
    found = look_up(os.getpid())
    return ServerFile(
        pid=os.getpid(),
        started=0 if found is None else found.start,
        boot=boot_id(),
        url=url,
        token_file=None if token_file is None else str(token_file),
    )


def is_alive(server: ServerFile) -> bool:
    """Return whether exactly that process still runs; one that only waits for its parent has ended."""
    found = look_up(server.pid)
    return found is not None and found.lives and found.start == server.started and server.boot == boot_id()


def running_server(home: Path) -> ServerFile | None:
    """Return the server of this home if it runs."""
    found = read_server_file(home)
    return found if found is not None and is_alive(found) else None


def stop_server(server: ServerFile, home: Path, timeout_s: float) -> None:
    """Ask exactly that process to end and wait until it has; raise CliError where it may not or does not."""
    if server.boot != boot_id():
        return
    descriptor = open_exact(server.pid, server.started)
    if descriptor is None:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except PermissionError as error:
        raise CliError(
            f"Process {server.pid}, which serves {home}, belongs to another user", "Stop it as that user", ExitCode.DENIED
        ) from error
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + timeout_s
    while is_alive(server):
        if time.monotonic() > deadline:
            raise CliError(
                f"The server (process {server.pid}) was asked to stop and still runs after {timeout_s:.0f} s",
                f"Nothing is lost when it is killed: kill -9 {server.pid}",
                ExitCode.UNAVAILABLE,
            )
        time.sleep(POLL_S)
