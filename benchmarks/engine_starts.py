"""How fast the local engine runs `true`: attempts per second and CPU per attempt over agent, supervisor and bash.

python benchmarks/engine_starts.py [attempts] [side by side]
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from eisbach.engines.local.engine import LocalEngine
from eisbach.ports.engine import Observation, StartOrder, TaskOrder


def _order(number: int) -> StartOrder:
    return StartOrder(
        attempt_id=f"att_{number:06d}",
        attempt_number=1,
        job_id=f"job_{number:06d}",
        job_name="true",
        project_id="prj_benchmark",
        epoch=1,
        tasks=(TaskOrder(rank=0, node_id="node", cpu_milli=1000, memory_mib=64),),
        run="true",
        limit_ms=60_000,
        grace_ms=1_000,
    )


def _machine_cpu_s() -> float:
    """Return the CPU seconds that all processes of the machine used: it must be otherwise idle."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = (int(field) for field in fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one line of figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    side_by_side = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    home = Path(tempfile.mkdtemp(prefix="eisbach-benchmark-"))
    scratch = Path(tempfile.mkdtemp(prefix="eisbach-benchmark-"))
    scratch.chmod(0o711)
    engine = LocalEngine(home, scratch=scratch)
    slots = threading.Semaphore(side_by_side)
    ended: list[Observation] = []

    def on_observation(seen: Observation) -> None:
        if seen.ending is not None:
            ended.append(seen)
            slots.release()

    engine.subscribe(on_observation)
    agent = engine.agent_pid()
    began, cpu_began, client_began = time.monotonic(), _tree_cpu_s(agent), time.process_time()
    machine_began = _machine_cpu_s()
    for number in range(count):
        slots.acquire()
        engine.start(_order(number))
    while len(ended) < count:
        time.sleep(0.005)
    wall_s = time.monotonic() - began
    machine_ms = (_machine_cpu_s() - machine_began) * 1000 / count
    time.sleep(1.5)  # the supervisors that were reused end now, only then the kernel counts what they used
    cpu_ms = (_tree_cpu_s(agent) - cpu_began) * 1000 / count
    client_ms = (time.process_time() - client_began) * 1000 / count
    rss_mb = int(Path(f"/proc/{agent}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    ok = sum(seen.exit_code == 0 for seen in ended)
    engine.shut_agent_down()
    engine.close()
    shutil.rmtree(home)
    shutil.rmtree(scratch)
    print(
        f"engine_starts: {ok} of {count} `true` attempts, {count / wall_s:.0f}/s, {side_by_side} side by side; "
        f"CPU per attempt {cpu_ms:.1f} ms (agent, supervisor, bash), client {client_ms:.2f} ms, "
        f"machine {machine_ms:.1f} ms; agent {rss_mb:.0f} MB; {os.cpu_count()} cores   "
        f"(python benchmarks/engine_starts.py {count} {side_by_side})"
    )


if __name__ == "__main__":
    main()
