"""A week of 10,000 and of 100,000 GPUs through the whole application in the twin: jobs a CPU second, log off and on.

    python benchmarks/week.py [--policy default] [--year]

Each run is a process of its own; CPU seconds are those of the process from its start, imports and trace included. RAPS plays
such a week at 47 jobs a second, AccaSim at 272 (benchmarks/peers.py runs it). `--year` plays a year of 10,000 GPUs with a
million jobs made of the week: 52 times, each followed by its first half once more, durations cut so that the load stays.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = SHARED / "data" / "traces"
ROOT = Path(__file__).resolve().parents[1]
WEEK_S = 7 * 86_400
YEAR_JOBS = 1_000_000


def play(trace: Path, nodes: int, policy: str, *more: str) -> dict[str, float]:
    """Replay a trace in a process of its own and return its figures."""
    command = [
        sys.executable, "-m", "eisbach", "twin", "replay", "--jobs", str(trace), "--nodes", str(nodes), "--gpus-per-node", "8",
        "--policy", policy, "--within", "rack", "--json", *more,
    ]  # fmt: skip
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(told.stdout)
    return figures


def line(what: str, figures: dict[str, float]) -> str:
    """Return one line of figures."""
    return (
        f"{what}: {figures['jobs_per_cpu_s']:,.0f} jobs a CPU second ({figures['finished']:,} jobs, {figures['cpu_s']:.1f} s), "
        f"{figures['peak_rss_mb']:,.0f} MB, mean wait {figures['mean_wait_s']:,.2f} s, in one rack {figures['in_rack'] or 0:.1%}"
    )


def year(folder: Path) -> Path:
    """Write a year of a million jobs and return its file."""
    with gzip.open(TRACES / "week_10k.csv.gz", "rt") as file:
        header, *rows = csv.reader(file)
    a_week = YEAR_JOBS // 52
    cut = len(rows) / a_week
    jobs: list[tuple[int, str, int, int]] = []
    for week in range(52):
        for number in range(a_week):
            _, submit_s, nodes, duration_s, limit_s = rows[number % len(rows)]
            at_s = week * WEEK_S + (int(submit_s) + (number // len(rows)) * 1801) % WEEK_S
            jobs.append((at_s, nodes, max(1, int(int(duration_s) * cut)), max(2, int(int(limit_s) * cut))))
    jobs.sort()
    path = folder / "year.csv.gz"
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows((number, *job) for number, job in enumerate(jobs))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="default")
    parser.add_argument("--year", action="store_true", help="a year with a million jobs instead; takes long")
    asked = parser.parse_args()
    if asked.year:
        with tempfile.TemporaryDirectory() as folder:
            print(line("a year of 10,000 GPUs", play(year(Path(folder)), 1_250, asked.policy)))
        return
    for week, nodes in (("week_10k", 1_250), ("week_100k", 12_500)):
        for more in ((), ("--log",)):
            figures = play(TRACES / f"{week}.csv.gz", nodes, asked.policy, *more)
            print(line(f"{week} {asked.policy} log {'on' if more else 'off'}", figures), flush=True)


if __name__ == "__main__":
    main()
