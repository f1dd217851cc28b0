"""Large gangs among small jobs: the Kalos jobs laid over a busy Philly week, under `default` and under EASY.

python benchmarks/whole.py [TRACES_FOLDER] [load] [policy ...]

The Philly week is the seventh of the trace (14,724 jobs, the most of any week); the 319 Kalos jobs of ninety days are folded
into one week by their submission modulo seven days. Durations are capped at three days, as make_week.py does. The cluster has as
many nodes of 8 GPUs as give the offered load (0.85). Limits are derived from durations (docs/twin.md). All of it is simulated.
"""

import csv
import gzip
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from eisbach.core.scheduling.policy import POLICIES
from eisbach.twin.equal_nodes import equal_nodes
from eisbach.twin.recorder import LARGEST, Recorder
from eisbach.twin.scenario import Scenario
from eisbach.twin.trace_workload import TraceWorkload

WEEK_S = 7 * 86_400
PHILLY_WEEK = 6
CAP_S = 3 * 86_400
SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = SHARED / "data" / "traces"
GPUS = 8
Row = tuple[float, str, str, float, float]


def main() -> None:
    """Print one line of figures for each policy."""
    traces = Path(sys.argv[1]) if len(sys.argv) > 1 else TRACES
    if not traces.is_dir():
        print(f"whole: not measured: there are no traces at {traces}")
        return
    load = float(sys.argv[2]) if len(sys.argv) > 2 else 0.85
    policies = sys.argv[3:] or ["easy", "default"]
    rows = sorted(_philly(traces / "philly_sia.csv.gz") + _kalos(traces / "acme_kalos_320.csv.gz"))
    gpu_s = sum(gpus * duration for _, _, _, duration, gpus in rows)
    nodes = round(gpu_s / (WEEK_S * GPUS * load))
    with tempfile.TemporaryDirectory(prefix="eisbach-whole-") as name:
        trace = Path(name) / "whole.csv"
        _write(trace, rows)
        for policy in policies:
            print(_played(trace, nodes, policy), f"| python benchmarks/whole.py {traces} {load} {policy}", flush=True)


def _played(trace: Path, nodes: int, policy: str) -> str:
    site = equal_nodes(nodes, GPUS)
    scenario = Scenario(sites=(site,), workload=TraceWorkload(trace, site), policy=POLICIES[policy])
    world = scenario.world()
    recorder = Recorder(world)
    result = scenario.play(world)
    waits = [wait for (_, size), found in recorder.waits_ms.items() if size == LARGEST for wait in found]
    return (
        f"simulated, {policy}: {len(waits)} gangs of 512 GPUs and more wait {sum(waits) / len(waits) / 1000:,.0f} s on average, "
        f"{max(waits) / 1000:,.0f} s at worst; all {result.jobs:,} jobs {result.mean_wait_s:,.0f} s; {nodes} nodes, "
        f"{result.allocated:.1%} allocated, {result.promises} promises, {result.promises_broken} broken, {result.cpu_s:.0f} CPU s"
    )


def _philly(path: Path) -> list[Row]:
    begin = PHILLY_WEEK * WEEK_S
    return [
        (submit - begin, f"philly-{job}", user, duration, gpus)
        for job, user, submit, duration, gpus in _jobs(path)
        if begin <= submit < begin + WEEK_S
    ]


def _kalos(path: Path) -> list[Row]:
    return [(submit % WEEK_S, f"kalos-{job}", "kalos", duration, gpus) for job, _, submit, duration, gpus in _jobs(path)]


def _jobs(path: Path) -> list[tuple[str, str, float, float, float]]:
    with gzip.open(path, "rt") as file:
        return [
            (row["job_id"], row["user"], float(row["submit_s"]), min(CAP_S, float(row["duration_s"])), float(row["gpus"]))
            for row in csv.DictReader(file)
            if row["duration_s"] and row["gpus"]
        ]


def _write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["job_id", "user", "submit_s", "duration_s", "gpus"])
        writer.writerows([job, user, submit, duration, gpus] for submit, job, user, duration, gpus in rows)


if __name__ == "__main__":
    main()
