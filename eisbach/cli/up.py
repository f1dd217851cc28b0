"""`eisbach up`: starts a factory on this machine, in the foreground or in the background."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

import eisbach
from eisbach import __version__
from eisbach.cli.client import Client
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.home_checks import (
    prepare_home,
    refuse_second_server,
    refuse_taken_port,
    site_file_said,
    take_site_file,
)
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.portal import offered
from eisbach.cli.profile import write_profile
from eisbach.cli.server_file import ServerFile, remove_server_file, write_server_file
from eisbach.cli.server_process import running_server, this_process
from eisbach.cli.session import settings
from eisbach.cli.simulated_sites import simulated_sites
from eisbach.settings import HOST_DEFAULT, PORT_DEFAULT, TIMEOUTS, Profile, Settings, own_environment

if TYPE_CHECKING:
    from eisbach.cli.server_main import ReadyFacts

LOG_NAME = "server.log"
TOKEN_NAME = "operator.token"
POLL_S = 0.1
LOG_TAIL_LINES = 8
Home = Annotated[
    Path | None,
    typer.Option("--home", help="The factory's folder. [default: EISBACH_HOME, or eisbach in XDG_DATA_HOME]"),
]


def up(
    home: Home = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = HOST_DEFAULT,
    port: Annotated[int, typer.Option("--port", help="The port; 0 is any free one.")] = PORT_DEFAULT,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Start it in the background.")] = False,
    site_file: Annotated[
        Path | None, typer.Option("--site-file", metavar="FILE", help="At the first start: the sites and nodes, instead of this machine.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", metavar="NAME", help="At the first start: a shipped site, such as munich; needs --simulated.")
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="With --site or --site-file: nothing is executed there, and everything says so.")
    ] = False,
    output_format: Output = Format.TABLE,
) -> int:
    """Start a factory on this machine.

    Its first start makes the operator's token and remembers it, so that the next command just works.
    """
    found = settings()
    place = (home or found.home).expanduser().absolute()
    file = site_file_said(site, site_file, is_simulated=simulated)
    prepare_home(place)
    refuse_second_server(place)
    refuse_taken_port(host, port)
    if file is not None:
        take_site_file(place, file, is_new=not (place / TOKEN_NAME).exists(), is_simulated=simulated)
    if detach:
        return _start_in_background(place, host, port, found, output_format)
    return _serve(place, host, port, found, output_format)


def _serve(home: Path, host: str, port: int, found: Settings, output_format: Format) -> int:
    from eisbach import wiring  # here and not above: it brings the whole server with it
    from eisbach.cli import server_main

    is_new = not (home / TOKEN_NAME).exists()

    def on_ready(facts: "ReadyFacts") -> None:
        server = this_process(facts.url, facts.first_token_path)
        write_server_file(home, server)
        remembered = remember(found, home, server, is_new=is_new)
        show(document("factory", **_facts(facts, home)), output_format, lambda is_wide: _print_ready(facts, home, remembered))

    try:
        return server_main.start(home, host, port, on_ready)
    except wiring.CannotStart as error:
        raise CliError(str(error), code=ExitCode.UNAVAILABLE) from error
    finally:
        remove_server_file(home)


def remember(found: Settings, home: Path, server: ServerFile, *, is_new: bool) -> str:
    """Write the profile for a factory on this machine and return what to tell about it.

    A profile of this home gets the new address; what it says of an earlier factory in this place is forgotten. A
    profile of another factory is left as it is.
    """
    profile = found.profile
    token_file = None if server.token_file is None else Path(server.token_file)
    if profile.url is not None and profile.home != home:
        return (
            f"Your profile stays with {profile.url}. To talk to this factory: export EISBACH_HOME={home}"
        )
    if token_file is None and profile.token_file is None:
        return f"Your profile was not written: there is no token file in {home}. Log in with `eisbach login`."
    known = profile if profile.home == home and not is_new else Profile(home=home)
    write_profile(found.profile_file, known._replace(url=server.url, token_file=token_file or known.token_file))
    return ""


def _start_in_background(home: Path, host: str, port: int, found: Settings, output_format: Format) -> int:
    log = home / LOG_NAME
    command = [found.python, "-m", "eisbach", "up", "--home", str(home), "--host", host, "--port", str(port)]
    with open_log(log) as file:
        start_of_log = file.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            env=dict(own_environment()), cwd=Path(eisbach.__file__).parent.parent,
        )  # fmt: skip
    server = _ready(process, home)
    if server is None:
        said = _tail(log, start_of_log)
        if process.poll() is not None:
            code = process.returncode if process.returncode > 0 else ExitCode.FAILED
            raise CliError(f"The factory ended at its start:\n{said}", f"All it said: {log}", code)
        raise CliError(
            f"The factory (process {process.pid}) did not answer within {TIMEOUTS.server_ready_s:.0f} s:\n{said}",
            f"It may still come up. Look at {log}, or stop it with `{_down(home, found)}`",
            ExitCode.UNAVAILABLE,
        )
    isolation, links, simulated = _isolation(server), _links(server), list(simulated_sites())
    doc = document(
        "factory", url=server.url, home=str(home), pid=process.pid, log=str(log), isolation=isolation, simulated=simulated,
        portal_links=links,
    )  # fmt: skip
    lines = [
        f"Eisbach {__version__} runs at {server.url} (process {process.pid}).",
        *_simulated_lines(simulated),
        *_link_lines(links),
        *([f"Isolation: {isolation}."] if isolation else []),
        f"Stop it with `{_down(home, found)}`. Its log: {log}",
    ]
    show(doc, output_format, lambda is_wide: print("\n".join(lines)))
    return ExitCode.OK


def _ready(process: "subprocess.Popen[bytes]", home: Path) -> ServerFile | None:
    """Return the server once it answers, None when it ended or did not within its time."""
    deadline = time.monotonic() + TIMEOUTS.server_ready_s
    while time.monotonic() < deadline and process.poll() is None:
        server = running_server(home)
        if server is not None and server.pid == process.pid and _is_healthy(server):
            return server
        time.sleep(POLL_S)
    return None


def _is_healthy(server: ServerFile) -> bool:
    try:
        Client(server.url, None).get("/healthz")
    except CliError:
        return False
    return True


def _isolation(server: ServerFile) -> str:
    """Return what keeps projects apart, as the factory says it; nothing where the operator's token is no longer here."""
    try:
        token = Path(server.token_file).read_text(encoding="utf-8").strip() if server.token_file else None
        return str(Client(server.url, token).get("/v1/factory")["isolation"])
    except (CliError, OSError, KeyError):
        return ""


def _simulated_lines(sites: Sequence[str]) -> list[str]:
    return [f"Simulated: {', '.join(sites)}. Nothing is executed there."] if sites else []


def _links(server: ServerFile) -> dict[str, str]:
    """Return fresh links into the portal; none where the operator's token is no longer here."""
    try:
        token = Path(server.token_file).read_text(encoding="utf-8").strip() if server.token_file else None
        made = [offered(Client(server.url, token), {"role": role}) for role in ("sign-up", "operator")]
        return {one["role"]: one["link"] for one in made}
    except (CliError, OSError, KeyError):
        return {}


def _link_lines(links: Mapping[str, str]) -> list[str]:
    """Return what to say about links into the portal."""
    if not links:
        return []
    return [
        "Portal (each link works once, within half an hour; `eisbach portal` prints fresh ones):",
        f"  a firm signs up   {links['sign-up']}",
        f"  the operator      {links['operator']}",
    ]


def _down(home: Path, found: Settings) -> str:
    return "eisbach down" if home == found.home else f"eisbach down --home {home}"


def open_log(log: Path) -> IO[bytes]:
    """Open the server's log for appending; raise CliError where the home does not take it."""
    try:
        return open(log, "ab", opener=_private)
    except OSError as error:
        raise CliError(
            f"The log {log} cannot be written: {error.strerror}", "Choose another folder with --home", ExitCode.REFUSED
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _tail(log: Path, start: int) -> str:
    with open(log, "rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:]) or "  (it said nothing)"


def _facts(facts: "ReadyFacts", home: Path) -> dict[str, Any]:
    return {
        "url": facts.url,
        "home": str(home),
        "version": __version__,
        "isolation": facts.isolation,
        "gpus": list(facts.gpus),
        "flavours": [str(one) for one in facts.flavours],
        "simulated": list(facts.simulated),
        "portal_links": dict(facts.portal_links),
    }


def _print_ready(facts: "ReadyFacts", home: Path, remembered: str) -> None:
    print(f"Eisbach {__version__} serves {facts.url} from {home}", flush=True)
    print(f"isolation  {facts.isolation}")
    print(f"GPUs       {', '.join(facts.gpus) or 'none found'}")
    print(f"flavours   {', '.join(str(one) for one in facts.flavours)}")
    for line in _simulated_lines(facts.simulated):
        print(line)
    if facts.first_token_path is not None:
        print(f"token      the operator's, in {facts.first_token_path}")
    if remembered:
        print(remembered)
    print("\n".join(_link_lines(facts.portal_links)))
    print("Try `eisbach offers` in another terminal; Ctrl-C stops the factory, and work that runs goes on.", flush=True)
