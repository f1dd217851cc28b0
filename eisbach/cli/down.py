"""`eisbach down`: stops the server and the resident agent of a home. Work that runs goes on."""

from pathlib import Path
from typing import Annotated

import typer

from eisbach.cli import figures
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.server_process import running_server, stop_server
from eisbach.cli.session import settings
from eisbach.cli.up import Home
from eisbach.settings import TIMEOUTS


def down(
    home: Home = None,
    keep_agent: Annotated[bool, typer.Option("--keep-agent", help="Stop the server only.")] = False,
    output_format: Output = Format.TABLE,
) -> int:
    """Stop the factory here; work that runs goes on.

    Supervisors of running work need neither server nor agent; the next `eisbach up` takes their work over.
    """
    place = (home or settings().home).expanduser().absolute()
    server = running_server(place)
    if server is not None:
        stop_server(server, place, TIMEOUTS.server_stop_s)
    running = 0
    if not keep_agent and place.is_dir():
        from eisbach import wiring  # here and not above: it brings the whole server with it

        running = wiring.stop_agent(place)
    doc = document("factory", home=str(place), was_running=server is not None, attempts_that_go_on=running)
    show(doc, output_format, lambda is_wide: print(_words(place, server is not None, running)))
    return ExitCode.OK


def _words(home: Path, was_running: bool, running: int) -> str:
    first = "The factory is stopped." if was_running else f"No factory runs from {home}."
    if not running:
        return first
    return (
        f"{first} {figures.counted(running, 'attempt goes', 'attempts go')} on without it; "
        f"`eisbach up` takes the work over again."
    )
