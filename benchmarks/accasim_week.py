"""Runs AccaSim on a week file and prints what it came to; peers.py starts it in an environment that has AccaSim.

python benchmarks/accasim_week.py WEEK.csv.gz NODES fifo|easy FOLDER
"""

import collections
import collections.abc
import csv
import gzip
import json
import re
import resource
import sys
from datetime import datetime
from pathlib import Path

collections.Mapping = collections.abc.Mapping  # AccaSim 1.1.3 is older than Python 3.10, which took the name away

from accasim.base.allocator_class import FirstFit  # noqa: E402
from accasim.base.scheduler_class import EASYBackfilling, FirstInFirstOut  # noqa: E402
from accasim.base.simulator_class import Simulator  # noqa: E402

SWF = "{job} {submit} -1 {run} {nodes} -1 -1 {nodes} {limit} -1 1 1 1 1 1 1 -1 -1\n"
"""The Standard Workload Format: a node is one processor."""
SCHEDULED = r"\d+;[^;]*;(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)__.*__(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d);.*"
"""A line of AccaSim's schedule: when a job was queued and when it started."""


def main() -> None:
    """Print one JSON document."""
    week, nodes, policy, folder = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    jobs = _as_swf(week, folder / "week.swf")
    system = {"groups": {"node": {"core": 1}}, "resources": {"node": nodes}, "equivalence": {"processor": {"core": 1}}, "start_time": 0}
    (folder / "system.json").write_text(json.dumps(system))
    dispatcher = (EASYBackfilling if policy == "easy" else FirstInFirstOut)(FirstFit())
    before = _cpu_s()
    simulator = Simulator(
        str(folder / "week.swf"), str(folder / "system.json"), dispatcher, RESULTS_FOLDER_PATH=str(folder), RESULTS_FOLDER_NAME=folder.name,
        statistics_output=False, show_statistics=False, scheduling_output=True, LOG_LEVEL="ERROR",
    )  # fmt: skip
    written = simulator.start_simulation()
    cpu_s = _cpu_s() - before
    waits = [_wait_s(line) for line in Path(written["sched-"]).read_text().splitlines() if line]
    print(json.dumps({"jobs": jobs, "finished": len(waits), "mean_wait_s": sum(waits) / len(waits), "cpu_s": cpu_s, "jobs_per_cpu_s": len(waits) / cpu_s}))


def _wait_s(line: str) -> float:
    queued, started = (datetime.fromisoformat(said) for said in re.fullmatch(SCHEDULED, line).groups())
    return (started - queued).total_seconds()


def _as_swf(week: Path, swf: Path) -> int:
    jobs = 0
    with gzip.open(week, "rt") as source, swf.open("w") as target:
        for row in csv.DictReader(source):
            number = int(row["job_id"]) + 1
            target.write(SWF.format(job=number, submit=row["submit_s"], run=row["duration_s"], nodes=row["nodes"], limit=row["limit_s"]))
            jobs += 1
    return jobs


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
