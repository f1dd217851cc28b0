"""What an idle factory costs: memory and CPU of server and agent together, after some jobs have run.

python benchmarks/idle.py [seconds]

Memory is PSS (shared pages divided among their users) and RSS; CPU over the idle time in percent of one core.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.live_factory import LiveFactory, process_cpu_s, rss_mb


def main() -> None:
    """Print one line of figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    factory = LiveFactory()
    try:
        factory.start()
        project = factory.project()
        path = f"/v1/projects/{project}/jobs"
        task = {
            "task": {"name": "true", "run": "true", "resources": {"cpus": 0.1, "memory": 0.125}, "time_limit": "1m"}
        }
        factory.load(path, task, 4, 20)
        time.sleep(5)
        assert factory.process is not None
        pids = [factory.process.pid, factory.agent_pid()]
        before = sum(process_cpu_s(pid) for pid in pids)
        time.sleep(seconds)
        used = sum(process_cpu_s(pid) for pid in pids) - before
        pss = [rss_mb(pid) for pid in pids]
        rss = [_rss_mb(pid) for pid in pids]
        print(
            f"idle: server {rss[0]:.0f} MB, agent {rss[1]:.0f} MB RSS ({sum(rss):.0f} together; PSS {sum(pss):.0f}), "
            f"{used / seconds * 100:.2f} % of a core over {seconds:.0f} s | python benchmarks/idle.py {seconds:.0f}"
        )
    finally:
        factory.close()


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
