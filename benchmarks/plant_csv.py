"""How fast the industrial template reads a plant's CSV, and in how much memory.

python benchmarks/plant_csv.py [--lines N]

A process that writes lines as German loggers do (`01.01.2020 00:00:00;100,59`, one a second) feeds a pipe: nothing lies on a disk. Only the
reader's own CPU seconds count. The baseline in the same run: the same bytes through csv.reader alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

TEMPLATE = Path(str(files("eisbach") / "templates" / "predictive_maintenance"))
READ = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from dialect import Wishes
from readings import Limits, Readings
from series import Series
with Readings(Path(sys.argv[1]), ZoneInfo("Etc/GMT-1"), Wishes(), Limits()) as readings:
    points = sum(1 for _ in Series(readings))
    print(readings.size, readings.rows, points)
"""
BASELINE = """
import csv, sys
with open(sys.argv[1], newline="") as file:
    print(0, sum(1 for _ in csv.reader(file, delimiter=";")), 0)
"""


def write_plant(path: Path, hours: int) -> None:
    """Write so many hours of lines, an hour at a time."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    hour_of_lines = "".join(f"{{hour}}:{second // 60:02}:{second % 60:02};10{second % 7},{second % 90 + 10}\n" for second in range(3600))
    with path.open("w") as sink:
        sink.write("Zeit;Durchfluss\n")
        for hour in range(hours):
            sink.write(hour_of_lines.replace("{hour}", (start + timedelta(hours=hour)).strftime("%d.%m.%Y %H")))


def measured(program: str, pipe: Path, hours: int) -> tuple[list[int], float, float]:
    """Return what the program printed, its CPU seconds and its peak memory in MB."""
    environment = {**os.environ, "PYTHONPATH": str(TEMPLATE), "PYTHONDONTWRITEBYTECODE": "1"}
    writer = os.fork()
    if writer == 0:
        write_plant(pipe, hours)
        os._exit(0)
    with subprocess.Popen([sys.executable, "-c", program, str(pipe)], env=environment, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        said = [int(one) for one in reader.stdout.read().split()]
        _, status, used = os.wait4(reader.pid, 0)
        reader.returncode = os.waitstatus_to_exitcode(status)
    os.waitpid(writer, 0)
    return said, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Read a plant's CSV from a pipe, and the same lines through csv.reader alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=4_000_000)
    hours = parser.parse_args().lines // 3600
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder) / "plant.csv"
        os.mkfifo(pipe)
        (size, rows, points), cpu, peak = measured(READ, pipe, hours)
        _, baseline, _ = measured(BASELINE, pipe, hours)
    megabytes = size / 1e6
    print(
        f"plant_csv: {megabytes:.0f} MB, {rows} lines to {points} minutes, {megabytes / cpu:.1f} MB a CPU second ({cpu / rows * 1e6:.2f} us a line; "
        f"csv.reader alone {megabytes / baseline:.1f}), peak {peak:.0f} MB    python benchmarks/plant_csv.py --lines {rows}"
    )


if __name__ == "__main__":
    main()
