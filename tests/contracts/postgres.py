"""A private PostgreSQL for tests: a cluster in a folder of its own, on a free loopback port, run by a plain user."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

CANDIDATE_USERS = ("postgres", "nobody")


class NoPostgres(Exception):
    """PostgreSQL cannot be started here; the message says why."""


class Cluster:
    """A running PostgreSQL. `url(name)` makes an empty database."""

    def __init__(self) -> None:
        self._bin = _binaries()
        self._user = _plain_user()
        self._folder = Path(tempfile.mkdtemp(prefix="eisbach-postgres-"))  # where a plain user may go: no test's folder
        self._data = self._folder / "data"
        self._made = 0
        self.port = _free_port()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run(
            "initdb", "-D", str(self._data), "-U", "eisbach", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"
        )
        self._start()

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        self._made += 1
        name = f"test_{self._made}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "eisbach", name)
        return f"postgresql://eisbach@127.0.0.1:{self.port}/{name}"

    def restart(self) -> None:
        """Stop the server in the midst of things and start it again."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        self._start()

    def stop(self) -> None:
        """Stop the server and remove all it wrote."""
        try:
            self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c max_connections=200 -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", "60", "-o", options, "start")

    def _run(self, program: str, *arguments: str) -> None:
        user = (
            {}
            if self._user is None
            else {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        )
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [str(self._bin / program), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, cwd=self._folder, env=environment, timeout=120, **user,
        )  # fmt: skip
        if done.returncode:
            raise NoPostgres(f"{program} fails: {done.stdout.strip()[-500:]}")


def _binaries() -> Path:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "pg_ctl", "createdb", "postgres")):
            return place
    raise NoPostgres("PostgreSQL's initdb is neither in PATH nor under /usr/lib/postgresql/*/bin")


def _plain_user() -> str | None:
    """The user to run as: None for the present one; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATE_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
