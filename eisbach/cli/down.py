"""`eisbach down`: stops the server and the resident agent of a home. Work that runs goes on."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from eisbach.cli import figures
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.factory import wiring
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.server_file import ServerFile, read_server_file
from eisbach.cli.session import settings
from eisbach.cli.up import POLL_S, Home
from eisbach.settings import TIMEOUTS


def down(
    home: Home = None,
    keep_agent: Annotated[bool, typer.Option("--keep-agent", help="Stop the server only.")] = False,
    output_format: Output = Format.TABLE,
) -> int:
    """Stop the factory on this machine; work that runs goes on.

    Supervisors of running work need neither server nor agent; the next `eisbach up` takes their work over.
    """
    place = (home or settings().home).expanduser().absolute()
    server = read_server_file(place)
    was_running = server is not None and server.is_alive()
    if server is not None and was_running:
        _stop(server, place)
    running = 0 if keep_agent or not place.is_dir() else wiring().stop_agent(place)
    doc = document("factory", home=str(place), was_running=was_running, attempts_that_go_on=running)
    show(doc, output_format, lambda is_wide: print(_words(place, was_running, running)))
    return ExitCode.OK


def _stop(server: ServerFile, home: Path) -> None:
    """Ask the server to end and wait until it has. Pid, start and boot agree, so it is no other process."""
    try:
        os.kill(server.pid, signal.SIGTERM)
    except PermissionError as error:
        raise CliError(
            f"Process {server.pid}, which serves {home}, belongs to another user", "Stop it as that user", ExitCode.DENIED
        ) from error
    except ProcessLookupError:
        return
    deadline = time.monotonic() + TIMEOUTS.server_stop_s
    while server.is_alive():
        if time.monotonic() > deadline:
            raise CliError(
                f"The server (process {server.pid}) was asked to stop and still runs after {TIMEOUTS.server_stop_s:.0f} s",
                f"Nothing is lost when it is killed: kill -9 {server.pid}",
                ExitCode.UNAVAILABLE,
            )
        time.sleep(POLL_S)


def _words(home: Path, was_running: bool, running: int) -> str:
    first = "The factory is stopped." if was_running else f"No factory runs from {home}."
    if not running:
        return first
    return (
        f"{first} {figures.counted(running, 'attempt goes', 'attempts go')} on without it; "
        f"`eisbach up` takes the work over again."
    )
