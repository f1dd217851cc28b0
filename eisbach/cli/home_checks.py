"""What is checked before a factory starts, so that it fails at once and in words: the home, and the port."""

import os
import socket
import stat
from pathlib import Path

from eisbach.adapters.private_files import write_private
from eisbach.adapters.shipped_sites import as_simulated, shipped_sites, site_file_of
from eisbach.adapters.site_file import SITE_FILE
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.server_process import running_server
from eisbach.stores.sql.sqlite_home import MOUNT_TABLE, NETWORK_FILE_SYSTEMS, file_system_of


def prepare_home(home: Path, mounts: str | None = None) -> None:
    """Make the home, mode 0700, or raise CliError with what stands in the way. `mounts` is the text of /proc/self/mountinfo."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        what = f"a link to {os.readlink(home)}, where no folder is" if home.is_symlink() else "a file"
        raise usage_error(f"The home {home} is {what}", "Choose a folder with --home") from None
    except OSError as error:
        raise _not_writable(home, error.strerror or "cannot be made") from error
    if os.statvfs(home).f_flag & os.ST_RDONLY:
        raise _not_writable(home, "its file system is mounted read-only")
    if not os.access(home, os.W_OK | os.X_OK):
        raise _not_writable(home, "no permission to write")
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o022:
        raise CliError(
            f"The home {home} has mode {mode:04o}, so others can change what is in it",
            f"Run: chmod 700 {home}",
            ExitCode.REFUSED,
        )
    if mounts is None:
        mounts = MOUNT_TABLE.read_text(errors="replace") if MOUNT_TABLE.exists() else ""
    kind, _ = file_system_of(Path(os.path.realpath(home)), mounts) or ("", "")
    if kind in NETWORK_FILE_SYSTEMS:
        raise CliError(
            f"The home {home} lies on a network file system ({kind}), where the store's locks are not to be trusted",
            "Choose a folder on a local disk with --home",
            ExitCode.REFUSED,
        )


def site_file_said(site: str | None, file: Path | None, *, is_simulated: bool) -> Path | None:
    """Return the site file that `--site` or `--site-file` names, None where neither is there; raise CliError."""
    if site is None:
        if is_simulated and file is None:
            raise usage_error("--simulated is of a site, and none is named", "For example `eisbach up --site munich --simulated`")
        return file
    if file is not None:
        raise usage_error(f"--site {site} and --site-file {file} are two sites", "Say one of them")
    if site not in shipped_sites():
        raise usage_error(f"There is no shipped site {site!r}", f"Say one of {', '.join(shipped_sites())}, or --site-file FILE")
    if not is_simulated:
        raise usage_error(f"Nothing of the site {site} stands here", f"See it simulated: `eisbach up --site {site} --simulated`")
    return site_file_of(site)


def take_site_file(home: Path, file: Path, *, is_new: bool, is_simulated: bool = False) -> None:
    """Copy a site file into a home that no factory was opened in yet; raise CliError where one has another.

    With `is_simulated` each of its sites says so in the copy.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage_error(f"The site file {file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if is_simulated:
        text = as_simulated(text)
    own = home / SITE_FILE
    if is_new:
        write_private(own, text)
    elif not own.exists() or own.read_text(encoding="utf-8", errors="replace") != text:
        raise CliError(
            f"The factory in {home} has a site file of its own, and it differs from {file}",
            f"Edit {own} and start without --site-file, or choose another --home",
            ExitCode.REFUSED,
        )


def refuse_second_server(home: Path) -> None:
    """Raise CliError where a server already serves the home."""
    other = running_server(home)
    if other is not None:
        raise CliError(
            f"The home {home} is already served at {other.url} by process {other.pid}",
            "Use that one, stop it with `eisbach down`, or choose another home with --home",
            ExitCode.REFUSED,
        )


def refuse_taken_port(host: str, port: int) -> None:
    """Raise CliError where the port cannot be listened on; port 0 is any free one."""
    if not 0 <= port <= 65_535:
        raise usage_error(f"--port {port} is no port", "Ports are 1 to 65535; 0 is any free one")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise usage_error(f"--host {host!r} is no address of this machine: {error.strerror}") from error
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            raise usage_error(f"Port {port} needs root", "Choose one above 1023 with --port") from error
        except OSError as error:
            raise CliError(
                f"Port {port} on {host} cannot be used: {error.strerror}",
                f"Choose another one, for example --port {port + 1 if port < 65_535 else port - 1}, or --port 0 for any free one",
                ExitCode.UNAVAILABLE,
            ) from error


def _not_writable(home: Path, why: str) -> CliError:
    return CliError(
        f"The home {home} is not writable: {why}", "Choose another folder with --home or EISBACH_HOME", ExitCode.REFUSED
    )
