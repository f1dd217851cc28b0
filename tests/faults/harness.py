"""A real factory in a folder of its own: a server process that may be killed at any point, and a raw client for it."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eisbach.cli.server_file import read_server_file
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.engines.local.engine import LocalEngine
from eisbach.ports.crash import ENVIRONMENT_VARIABLE
from eisbach.ports.engine import EngineUnavailable, StopOrder

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
"""No test is judged by the clock: this only ends one that would never end."""

Answer = tuple[int, Any]


class Unanswered(Exception):
    """The server did not answer: nobody knows whether it did what was asked."""


def wait_until(is_so: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until something is true and return it; raise AssertionError where it never is."""
    deadline = time.monotonic() + patience_s
    while True:
        found = is_so()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.02)


class Zygote:
    """A process that forks servers."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks servers ended"
        return dict(json.loads(line))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE_S)
        self._process.stdout.close()


class RealFactory:
    """One home, its server process, and what a client of it does."""

    def __init__(self, zygote: Zygote, folder: Path, home: Path | None = None) -> None:
        self._zygote = zygote
        self.folder = folder
        self.home = home or folder / "home"
        self.log = folder / "server.log"
        self.starts_file = folder / "starts" / "lines"
        self.starts_file.parent.mkdir(exist_ok=True)
        self.starts_file.touch()
        self.starts_file.chmod(0o666)  # the tasks have a user of their own
        self.pid: int | None = None
        self.status: int | None = None
        self._port = 0
        self.project = ""

    # The process.

    def start(self, crash_at: str = "", **how: Any) -> bool:
        """Start a server and wait until it answers or has ended; return whether it answers."""
        assert not self.is_running, "one server at a time"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if crash_at:
            environment[ENVIRONMENT_VARIABLE] = crash_at
        started = self._zygote.ask(home=str(self.home), log=str(self.log), environment=environment, **how)
        self.pid, self.status = started["pid"], None
        return bool(wait_until(lambda: self._is_ready() or not self.is_running, f"a start with {crash_at!r}")) and self.is_running

    def _is_ready(self) -> bool:
        known = read_server_file(self.home)
        if known is None or known.pid != self.pid:
            return False
        self._port = int(known.url.rpartition(":")[2])
        with suppress(Unanswered):
            return self.call("GET", "/healthz")[0] in (200, 503)
        return False

    @property
    def is_running(self) -> bool:
        """Return whether the server process runs."""
        if self.pid is None:
            return False
        self.status = self._zygote.ask(poll=self.pid)["status"]
        if self.status is not None:
            self.pid = None
        return self.pid is not None

    def kill(self) -> None:
        """Kill the server with -9."""
        if self.is_running and self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_for_end()

    def stop(self) -> None:
        """Ask the server to stop."""
        if self.is_running and self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)
            self.wait_for_end()

    def kill_agent(self) -> None:
        """Kill the resident agent with -9, if there is one; only while no server runs, which would start the next."""
        for pid in agents_of(self.home):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not agents_of(self.home), "the end of the agent")

    def wait_for_end(self) -> int:
        """Wait until the server has ended; return its exit code, or minus the signal."""
        wait_until(lambda: not self.is_running, "the end of the server")
        assert self.status is not None
        return self.status

    def said(self) -> str:
        """Return the end of the server's log."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    # The client.

    def call(self, method: str, path: str, body: Any = None, key: str = "", token: str | None = None) -> Answer:
        """Send a request as the operator; return the status and the JSON, or raise Unanswered."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {token or self.token}"} if path != "/healthz" else {}
        if key:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error)) from error
        finally:
            connection.close()
        is_json = "json" in (answer.headers.get_content_type() or "") and "jsonl" not in answer.headers.get_content_type()
        return answer.status, json.loads(data) if is_json and data else data

    def made(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Send a request that must succeed and return its JSON."""
        status, answer = self.call(method, path, body, key)
        assert status < 300, (status, answer)
        return answer

    @property
    def token(self) -> str:
        """Return the operator's token."""
        return (self.home / "operator.token").read_text().strip()

    def furnish(self, budget_eur: int = 1000) -> str:
        """Make an organisation and a project unless that was done; return the project."""
        if self.project:
            return self.project
        organisation = self.made("POST", "/v1/organisations", {"name": "Org"}, "org")["organisation"]
        body = {"name": "work", "organisation": organisation, "budget_micro_eur": budget_eur * 1_000_000}
        self.project = self.made("POST", "/v1/projects", body, "project")["project"]
        return self.project

    def task(self, run: str, **more: Any) -> dict[str, Any]:
        """Return a task that notes its start in a file outside its workspace, then does something."""
        note = f'echo "$EISBACH_ATTEMPT_ID $RANK" >> {self.starts_file}\n'
        resources = {"cpus": 1, "memory": "0.1"}
        return {"run": note + run, "resources": resources, "time_limit": "10m", **more}

    def submit(self, task: Mapping[str, Any], key: str = "") -> str:
        """Submit a task and return the job's id."""
        return str(self.made("POST", f"/v1/projects/{self.project}/jobs", {"task": task}, key)["job"])

    def job(self, job: str) -> dict[str, Any]:
        """Return what the server says about a job."""
        return dict(self.made("GET", f"/v1/jobs/{job}"))

    def wait_for_state(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states; raise Unanswered where the server dies before."""
        found: dict[str, Any] = {}

        def is_there() -> bool:
            found.update(self.job(job))
            return found["state"] in states

        wait_until(is_there, f"{job} in {states}")
        return found

    def starts(self) -> list[str]:
        """Return the lines that tasks wrote when they started: attempt and rank."""
        return self.starts_file.read_text().splitlines()

    # The end.

    def end_work(self) -> None:
        """End everything that runs in this home: the server, the work, the agent."""
        self.kill()
        if not (self.home / "agent").is_dir():
            return
        engine = LocalEngine(self.home)
        try:
            with suppress(EngineUnavailable, AssertionError):
                for seen in engine.observe():
                    if seen.ending is None:
                        engine.stop(
                            StopOrder(attempt_id=seen.attempt_id, epoch=10**9, cause=StopCause.DRAIN, grace_ms=0)
                        )
                wait_until(lambda: all(seen.ending for seen in engine.observe()), "the end of all work", 20)
            engine.shut_agent_down()
        finally:
            engine.close()


def processes_of(folder: Path) -> list[int]:
    """Return the processes that name this folder in their command, environment or working directory."""
    mark = os.fsencode(folder)
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with suppress(OSError):
                place = Path("/proc") / entry
                if mark in (place / "cmdline").read_bytes() or os.fsencode(os.readlink(place / "cwd")).startswith(mark):
                    found.append(int(entry))
    return found


def agents_of(home: Path) -> list[int]:
    """Return the resident agent of a home: it holds the lock's descriptor, which no supervisor keeps."""
    found = []
    for pid in processes_of(home):
        with suppress(OSError):
            descriptors = Path(f"/proc/{pid}/fd")
            if any(os.readlink(one) == str(home / "agent" / "lock") for one in descriptors.iterdir()):
                found.append(pid)
    return found


@contextmanager
def a_folder() -> Iterator[Path]:
    """Yield a folder that other users may pass through; at the end nothing runs in it and it is gone."""
    folder = Path(tempfile.mkdtemp(prefix="eisbach-faults-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for pid in processes_of(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes_of(folder), "the end of what ran in the folder", 20)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_factory(zygote: Zygote, *, cores: int = 16) -> Iterator[RealFactory]:
    """Yield a factory of as many cores as its site file says, not started; at the end nothing of it is left."""
    with a_folder() as folder:
        factory = RealFactory(zygote, folder)
        write_site(factory.home, cores)
        try:
            yield factory
        except BaseException:
            print(factory.said(), file=sys.stderr)
            raise
        finally:
            factory.end_work()


def write_site(home: Path, cores: int, *nodes: str) -> None:
    """Write a site file of equal nodes before the first start."""
    home.mkdir(mode=0o700, exist_ok=True)
    lines = ["[site]", 'name = "here"', 'country = "DE"', 'operator = "Test"', 'operator_country = "DE"']
    for node in nodes or ("node-1",):
        lines += ["[[node]]", f'name = "{node}"', 'pool = "local"', 'flavour = "cpu"']
        lines += [f"cores = {cores}", "memory_mib = 16384", "gpus = 0"]
    (home / "site.toml").write_text("\n".join(lines) + "\n")
