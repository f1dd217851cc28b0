"""`true` jobs a second from submission to final state, on the ordinary path: plan, engine, log, limits, usage, charge.

python benchmarks/true_jobs.py [jobs]

Beside it, in the same run, how many a bare loop of `bash -c true` reaches on this machine (fork and exec alone).
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.live_factory import LiveFactory, process_cpu_s

CLIENTS = 8


def main() -> None:
    """Print one line of figures."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    factory = LiveFactory()
    try:
        factory.start()
        project = factory.project()
        path = f"/v1/projects/{project}/jobs"
        task = {
            "task": {"name": "true", "run": "true", "resources": {"cpus": 0.1, "memory": 0.125}, "time_limit": "1m"}
        }
        _run(factory, path, task, project, 40)
        agent = factory.agent_pid()
        before, before_agent = factory.cpu_s(), process_cpu_s(agent)
        seconds = _run(factory, path, task, project, jobs)
        server = (factory.cpu_s() - before) / jobs
        engine = (process_cpu_s(agent) - before_agent) / jobs
        rows = factory.call("GET", f"/v1/projects/{project}/jobs?limit=1000")["items"]
        outcomes = {row["outcome"] for row in rows}
        assert outcomes == {"succeeded"}, outcomes
        cost = factory.call("GET", f"/v1/projects/{project}/cost")
        began = time.perf_counter()
        for _ in range(200):
            subprocess.run(["bash", "-c", "true"], check=True)
        loop = 200 / (time.perf_counter() - began)
        print(
            f"true jobs: {jobs / seconds:.0f}/s from submission to final state "
            f"(CPU server {server * 1000:.1f} ms, agent {engine * 1000:.1f} ms a job; charged {cost['charged_eur']} EUR); "
            f"a bare loop of bash -c true: {loop:.0f}/s | python benchmarks/true_jobs.py {jobs}"
        )
    finally:
        factory.close()


def _run(factory: LiveFactory, path: str, task: object, project: str, jobs: int) -> float:
    """Submit jobs and wait until the last has ended; return the seconds that took."""
    began = time.perf_counter()
    found = factory.load(path, task, CLIENTS, jobs)
    assert found["statuses"] == {"202": jobs}, found["statuses"]
    for state in ("waiting", "starting", "running", "stopping"):
        # The queue empties from the front: once nothing waits, nothing will wait again.
        while factory.call("GET", f"/v1/projects/{project}/jobs?state={state}&limit=1")["items"]:
            time.sleep(0.1)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
