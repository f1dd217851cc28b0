"""What the start of the command line costs: CPU seconds (user and system) of `eisbach --help` and `eisbach ps`.

`ps` talks to a factory started for this, with ten jobs in its project. Medians of RUNS runs, byte code compiled before.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 9
JOBS = 10


def cpu_seconds(environment: dict[str, str], *arguments: str) -> float:
    """Return the CPU seconds that one command took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    eisbach(environment, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def eisbach(environment: dict[str, str], *arguments: str) -> None:
    """Run one command; it must succeed."""
    command = [sys.executable, "-m", "eisbach", *arguments]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def median(environment: dict[str, str], *arguments: str) -> float:
    """Return the median of several runs, the first of which only compiles."""
    eisbach(environment, *arguments)
    return statistics.median(cpu_seconds(environment, *arguments) for _ in range(RUNS))


def main() -> None:
    """Print one line of figures and the command to repeat it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EISBACH_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {"XDG_CONFIG_HOME": f"{folder}/config", "XDG_DATA_HOME": f"{folder}/data"}
        help_s = median(environment, "--help")
        eisbach(environment, "up", "--detach", "--port", "0")
        try:
            eisbach(environment, "org", "create", "bench")
            eisbach(environment, "project", "create", "bench", "--budget", "100")
            for _ in range(JOBS):
                eisbach(environment, "run", "-y", "-d", "--memory", "0.25", "--time-limit", "1m", "--", "true")
            ps_s = median(environment, "ps")
        finally:
            eisbach(environment, "down")
    print(
        f"cli_start: --help {help_s:.3f} CPU s (at most 0.3), ps of {JOBS} jobs {ps_s:.3f} CPU s (at most 0.5), "
        f"medians of {RUNS}; python benchmarks/cli_start.py"
    )


if __name__ == "__main__":
    main()
