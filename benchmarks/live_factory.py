"""A real factory in a temporary home, for benchmarks: started, asked, killed, started again, removed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class LiveFactory:
    """One `eisbach up` as a child process with a home of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="eisbach-bench-"))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EISBACH_")},
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        (self.home / "server.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eisbach", "up", "--home", str(self.home), "--port", "0"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("ab"),
        )
        for _ in range(300):
            time.sleep(0.1)
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "stderr").read_text())
            try:
                told = json.loads((self.home / "server.json").read_text())
                self.port = int(str(told["url"]).rpartition(":")[2])
                if self.call("GET", "/healthz")["status"] == "ok":
                    return
            except (OSError, ValueError, KeyError):
                continue
        raise RuntimeError("the factory did not answer within 30 s")

    @property
    def token(self) -> str:
        """Return the operator's token."""
        return (self.home / "operator.token").read_text().strip()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API as the operator and return the decoded answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def project(self, budget_eur: int = 1_000_000) -> str:
        """Make an organisation and a project and return its id."""
        organisation = self.call("POST", "/v1/organisations", {"name": "Bench"})["organisation"]
        made = self.call(
            "POST",
            "/v1/projects",
            {"organisation": organisation, "name": "bench", "budget_micro_eur": budget_eur * 1_000_000},
        )
        return str(made["project"])

    def load(self, path: str, body: Any, connections: int, requests: int) -> dict[str, Any]:
        """Send requests from a raw client in a process of its own."""
        return raw_load(self.port, path, self.token, body, connections, requests)

    def cpu_s(self) -> float:
        """Return the CPU seconds of the server process so far."""
        assert self.process is not None
        return process_cpu_s(self.process.pid)

    def agent_pid(self) -> int:
        """Return the process id of the resident agent."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"eisbach.engines.local.agent" in words and str(self.home).encode() in words:
                    return int(entry.name)
        raise RuntimeError("the agent does not run")

    def kill(self) -> None:
        """Kill the server with -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Stop server and agent and remove everything."""
        command = [sys.executable, "-m", "eisbach", "down", "--home", str(self.home)]
        subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL, check=False, timeout=60)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def process_cpu_s(pid: int) -> float:
    """Return user and system CPU seconds of a process, its waited-for children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB, shared pages counted once for each process (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    return 0.0


def raw_load(port: int, path: str, token: str, body: Any, connections: int, requests: int) -> dict[str, Any]:
    """Run benchmarks/raw_client.py and return what it printed."""
    command = [sys.executable, str(ROOT / "benchmarks" / "raw_client.py"), "127.0.0.1", str(port), path, token]
    done = subprocess.run(
        [*command, str(connections), str(requests)], input=json.dumps(body).encode(), capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
