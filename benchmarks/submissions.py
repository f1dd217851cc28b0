"""Accepted submissions a second, durable, against a bare FastAPI route with grouped inserts in the same run.

python benchmarks/submissions.py [requests a round] [rounds]

32 raw clients; rounds interleaved. Jobs wait behind one that holds the machine, as held jobs do in Slurm's figure.
Then the server is killed with -9 right behind the last 202, started again, and every job, transfer and leaf is counted.
"""

import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.live_factory import LiveFactory, process_cpu_s, raw_load

CLIENTS = 32


def main() -> None:
    """Print one line of figures."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    factory = LiveFactory()
    database = tempfile.TemporaryDirectory(prefix="eisbach-bare-")
    here = Path(__file__).parent
    bare = subprocess.Popen(
        [sys.executable, here / "bare_route.py", f"{database.name}/bare.db"], stdout=subprocess.PIPE
    )
    try:
        assert bare.stdout is not None
        bare_port = int(bare.stdout.readline())
        factory.start()
        project = factory.project()
        path = f"/v1/projects/{project}/jobs"
        cores = int(factory.call("GET", "/v1/offers")["items"][0]["cpu_milli"]) // 1000
        blocker = {"task": {"name": "blocker", "run": "sleep 600", "resources": {"cpus": cores}, "time_limit": "15m"}}
        held = factory.call("POST", path, blocker)["job"]
        task = {"task": {"name": "held", "run": "true", "resources": {"cpus": cores}, "time_limit": "1m"}}
        factory.load(path, task, CLIENTS, 200)  # both warm
        raw_load(bare_port, "/jobs", "none", task, CLIENTS, 200)
        ours, theirs, cpu, bare_cpu, p99 = [], [], [], [], []
        accepted: list[str] = []
        for _ in range(rounds):
            before = process_cpu_s(bare.pid)
            theirs.append(requests / raw_load(bare_port, "/jobs", "none", task, CLIENTS, requests)["seconds"])
            bare_cpu.append((process_cpu_s(bare.pid) - before) / requests)
            before = factory.cpu_s()
            found = factory.load(path, task, CLIENTS, requests)
            cpu.append((factory.cpu_s() - before) / requests)
            assert found["statuses"] == {"202": requests}, found["statuses"]
            ours.append(requests / found["seconds"])
            p99.append(found["p99_ms"])
            accepted += found["jobs"]
        factory.kill()
        missing = _missing(factory.home / "eisbach.db", accepted)
        factory.start()
        factory.call("POST", f"/v1/jobs/{held}/cancel", {})
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(
            f"submissions: {statistics.median(ours):.0f}/s accepted durably by {CLIENTS} clients, "
            f"{statistics.median(theirs):.0f}/s bare route, ratio {ratio:.2f} "
            f"(CPU {statistics.median(cpu) * 1e6:.0f} us a submission, bare {statistics.median(bare_cpu) * 1e6:.0f} us; "
            f"p99 {statistics.median(p99):.0f} ms); after kill -9: {len(accepted)} accepted, {missing} missing "
            f"| python benchmarks/submissions.py {requests} {rounds}"
        )
    finally:
        bare.kill()
        bare.wait()
        database.cleanup()
        factory.close()


def _missing(path: Path, accepted: list[str]) -> int:
    """Return how many accepted jobs lack their row, their event's leaf, or their reservation's transfer."""
    database = sqlite3.connect(path)
    jobs = {row[0] for row in database.execute("SELECT job FROM jobs")}
    leaves = {
        row[0]
        for row in database.execute(
            "SELECT s.subject FROM subjects s JOIN tree_nodes t ON t.idx = s.seq AND t.level = 0"
        )
    }
    reserved = {row[0] for row in database.execute("SELECT job FROM transfers WHERE kind = 'reserve'")}
    database.close()
    return sum(1 for job in accepted if not (job in jobs and job in leaves and job in reserved))


if __name__ == "__main__":
    main()
