"""The twin beside AccaSim (Galleguillos et al., AccaSim: a customizable workload management simulator, 2018), on the same week.

python benchmarks/peers.py [WEEK.csv.gz] [nodes] [rounds] [policy ...]

Installs AccaSim from the package index into an environment of its own in a temporary folder. Rounds are interleaved; each
program counts its own CPU time since its process began, children included (AccaSim: since its simulator was made, which flatters it).
AccaSim's nodes are one processor each, and it writes its schedule; the twin names nodes, charges every job and keeps its ledger.
Its FIFO waits are ours to the digit. Its EASY is another one (its mean wait differs from the check value of the week): the
speeds compare, the waits do not.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ("fifo", "easy")
PACKAGE = "accasim==1.1.3"
SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
WEEK = SHARED / "data" / "traces" / "week_10k.csv.gz"


def main() -> None:
    """Print one line of figures for each policy."""
    week = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else WEEK
    if not week.exists():
        print(f"peers: not measured: there is no week at {week}")
        return
    nodes = int(sys.argv[2]) if len(sys.argv) > 2 else 1250
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    policies = sys.argv[4:] or POLICIES
    with tempfile.TemporaryDirectory(prefix="eisbach-peers-") as name:
        folder = Path(name)
        theirs = _environment(folder / "env")
        for policy in policies:
            found = [(_ours(week, nodes, policy), _accasim(theirs, week, nodes, policy, folder / f"{policy}-{nth}")) for nth in range(rounds)]
            speed, peer_speed = (statistics.median(one[who]["jobs_per_cpu_s"] for one in found) for who in (0, 1))
            ours, peer = found[0]
            print(
                f"{policy}: twin {speed:,.0f} jobs/CPU s, mean wait {ours['mean_wait_s']:,.2f} s; "
                f"AccaSim {peer_speed:,.0f} jobs/CPU s, mean wait {peer['mean_wait_s']:,.2f} s ({peer['finished']:,} jobs); "
                f"ratio {speed / peer_speed:.1f} | python benchmarks/peers.py {week} {nodes} {rounds} {policy}",
                flush=True,
            )


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE], check=True, stderr=subprocess.DEVNULL)
    return python


def _ours(week: Path, nodes: int, policy: str) -> dict[str, float]:
    command = [sys.executable, "-m", "eisbach", "twin", "replay", "--jobs", week, "--nodes", str(nodes), "--policy", policy, "--json"]
    return _said(command)


def _accasim(python: Path, week: Path, nodes: int, policy: str, folder: Path) -> dict[str, float]:
    return _said([python, ROOT / "benchmarks" / "accasim_week.py", week, str(nodes), policy, folder])


def _said(command: list[str | Path]) -> dict[str, float]:
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
