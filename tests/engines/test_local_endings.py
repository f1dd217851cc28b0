"""How attempts of the local engine end: limit, stop, memory, and nothing that they started is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisbach.engines.local.cgroups import CgroupParents, detect
from eisbach.engines.local.layout import Layout
from eisbach.engines.local.processes import all_processes, descendants
from eisbach.ports.engine import Ending
from tests.contracts.engine_contract import a_stop, an_order
from tests.engines.local_harness import LocalHarness, a_local_engine, command_of, is_gone

HOG = """python3 -c 'import time
held = []
while True:
    held.append(b"x" * 4_000_000)
    time.sleep(0.005)'"""


@pytest.fixture(params=["cgroup", "polled"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalHarness]:
    """Yield an engine with cgroups, and one that has to do without them."""
    if request.param == "cgroup" and not detect().limits_memory:
        pytest.skip("no writable memory cgroup on this machine")
    with a_local_engine(tmp_path, use_cgroups=request.param == "cgroup") as made:
        yield made


def processes_marked(mark: str) -> list[int]:
    """Return the living processes that have a text in their command line."""
    rows = [row for row in all_processes() if row.lives and row.pid != os.getpid()]
    return [row.pid for row in rows if mark.encode() in command_of(row.pid)]


def groups_left(local: LocalHarness) -> list[Path]:
    parents = detect()
    return [group for root in parents.roots for group in root.glob(Layout(local.home, local.home).group_prefix + "*")]


def test_memory_over_the_share_is_said_as_such(local: LocalHarness) -> None:
    seen = local.run(an_order(run=HOG, memory_mib=64, tasks=2))
    assert (seen.ending, seen.exit_code) == (Ending.OUT_OF_MEMORY, 137)
    assert "64 MiB" in seen.detail
    assert seen.usage.memory_peak_mib >= 50
    assert groups_left(local) == []


def test_polled_memory_is_labelled(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, use_cgroups=False) as local:
        seen = local.run(an_order(run="sleep 0.6"))
        assert seen.usage.memory_is_polled
        assert seen.usage.memory_peak_mib > 0


def test_processor_time_is_counted(local: LocalHarness) -> None:
    seen = local.run(an_order(run="i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"))
    assert 20 <= seen.usage.cpu_ms <= seen.held_ms + 200


@pytest.mark.parametrize(
    "escape",
    [
        "setsid sleep 987654 & disown; sleep 0.2",
        "(setsid bash -c '(sleep 987654 &) ; exit' &); sleep 0.2",
        "nohup sleep 987654 > /dev/null 2>&1 & sleep 0.2",
        "env -i setsid -f sleep 987654; sleep 0.2",
    ],
)
def test_nothing_that_forked_away_is_left(local: LocalHarness, escape: str) -> None:
    seen = local.run(an_order(run=f"{escape}; pgrep -f 'sleep 987654' || true; exit 0"))
    assert seen.ending is Ending.EXITED
    assert processes_marked("987654") == []
    assert groups_left(local) == []


def test_a_job_that_ignores_sigterm_is_killed_after_its_grace(local: LocalHarness) -> None:
    local.engine.start(an_order(run="trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    local.wait(lambda: local.log() == ["ready"])
    local.engine.stop(a_stop(grace_ms=400))
    seen = local.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert seen.held_ms >= 400


def test_the_limit_gives_time_to_save(local: LocalHarness) -> None:
    run = "trap 'sleep 0.3; echo saved > checkpoints/state; exit 0' TERM; while :; do sleep 0.02; done"
    seen = local.run(an_order(run=run, limit_ms=300, grace_ms=5_000))
    assert seen.ending is Ending.TIMED_OUT
    assert seen.held_ms < 4_000
    assert (local.engine.scratch / "checkpoints" / "job_att_1" / "state").read_text() == "saved\n"


def test_a_program_behind_its_shell_has_its_time_to_save(local: LocalHarness) -> None:
    """The shell dies of SIGUSR1 at once; the program that it waits for goes on until it has saved."""
    program = (
        "import os, signal, sys, time\n"
        "def save(*_):\n"
        "    time.sleep(0.3)\n"
        "    open('checkpoints/state', 'w').write('saved')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGUSR1, save)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    time.sleep(0.02)\n"
    )
    run = f"cat > save.py <<'END'\n{program}END\npython3 save.py\necho never"
    local.engine.start(an_order(run=run, checkpoint_signal="SIGUSR1"))
    local.wait(lambda: local.log() == ["ready"])
    local.engine.stop(a_stop(grace_ms=8_000))
    seen = local.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert seen.held_ms < 8_000
    assert (local.engine.scratch / "checkpoints" / "job_att_1" / "state").read_text() == "saved"


def test_a_job_that_knows_no_checkpoint_signal_gets_sigterm_at_half_time(local: LocalHarness) -> None:
    run = "trap '' USR1; trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    local.engine.start(an_order(run=run, checkpoint_signal="SIGUSR1"))
    local.wait(lambda: local.log() == ["ready"])
    local.engine.stop(a_stop(grace_ms=1_000))
    seen = local.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert "term" in local.log()
    assert seen.held_ms >= 500


def test_a_later_stop_can_shorten_the_grace(local: LocalHarness) -> None:
    local.engine.start(an_order(run="trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    local.wait(lambda: local.log() == ["ready"])
    local.engine.stop(a_stop(grace_ms=600_000))
    local.engine.stop(a_stop(grace_ms=100))
    assert local.wait_ended().ending is Ending.STOPPED


def test_a_fork_bomb_is_ended(local: LocalHarness) -> None:
    """A bounded bomb, so that a broken engine does not take the machine with it; it runs as an unprivileged user."""
    if os.geteuid() != 0:
        pytest.skip("needs root: an unprivileged user of its own for the bomb")
    run = "b() { sleep 987653 & b & b & wait; }; ulimit -u 400; b 2>/dev/null; wait"
    seen = local.run(an_order(run=run, limit_ms=1_500, grace_ms=300, memory_mib=2048))
    assert seen.ending in (Ending.TIMED_OUT, Ending.FAILED)
    assert processes_marked("987653") == []
    assert groups_left(local) == []
    assert local.run(an_order("att_2")).ending is Ending.EXITED


def test_the_engine_works_for_an_unprivileged_user_also_against_a_fork_bomb(tmp_path: Path) -> None:
    """The whole engine runs as another user here; a server of its own process tells what it saw."""
    if os.geteuid() != 0:
        pytest.skip("needs root: becomes an unprivileged user")
    source = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["/usr/bin/env", "-i", f"PYTHONPATH={source}", sys.executable, "-m", "tests.engines.unprivileged"],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exited timed_out exited 0 left 0 closed" in done.stdout


def test_held_time_agrees_with_an_observer(local: LocalHarness) -> None:
    """An observer that knows nothing of the engine sees the task's process; both agree within 100 ms."""
    local.engine.start(an_order(run="exec sleep 0.7654321"))
    local.wait(lambda: bool(processes_marked("0.7654321")))
    (pid,) = processes_marked("0.7654321")
    ticks = os.sysconf("SC_CLK_TCK")
    began_ms = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) * 1000 // ticks
    local.wait(lambda: is_gone(pid))
    ended_ms = float(Path("/proc/uptime").read_text().split()[0]) * 1000
    seen = local.wait_ended()
    assert abs((ended_ms - began_ms) - seen.held_ms) <= 100


def test_supervisors_of_another_engine_are_not_touched(local: LocalHarness, tmp_path: Path) -> None:
    with a_local_engine(tmp_path, home=tmp_path / "other", use_cgroups=False) as other:
        other.engine.start(an_order("att_other", run="sleep 60"))
        other.wait_running("att_other")
        local.engine.start(an_order(run="sleep 60"))
        local.wait_running()
        (supervisor,) = (
            row.pid for row in descendants(local.engine.agent_pid(), all_processes()) if is_supervisor(row.pid)
        )
        os.kill(supervisor, signal.SIGKILL)
        assert local.wait_ended().ending is Ending.LOST
        assert other.is_running("att_other")


def is_supervisor(pid: int) -> bool:
    return b"eisbach.engines.local.agent" in command_of(pid)


def test_groups_of_version_two_are_found(tmp_path: Path) -> None:
    """Read from files as a machine with cgroup v2 has them; making groups is tried on real machines only."""
    proc = tmp_path / "proc"
    group = tmp_path / "unified" / "user.slice"
    for folder in (proc, group):
        folder.mkdir(parents=True)
    (proc / "cgroup").write_text("0::/user.slice\n")
    (proc / "mountinfo").write_text(f"31 23 0:28 / {tmp_path / 'unified'} rw,relatime - cgroup2 cgroup2 rw\n")
    assert detect(proc) == CgroupParents()  # nothing there can be divided


def test_the_cores_are_shared_as_they_were_booked(tmp_path: Path) -> None:
    parents = detect()
    root, control, expected = (parents.cpu, "cpu.shares", "512") if parents.cpu else (parents.unified, "cpu.weight", "50")
    if root is None or not (root / control).exists():
        pytest.skip("no writable cpu cgroup on this machine")
    with a_local_engine(tmp_path) as local:
        local.engine.start(an_order(run="sleep 60"))
        local.wait_running()
        (group,) = (group for group in groups_left(local) if group.parent == root)
        assert (group / control).read_text().strip() == expected
        assert len((group / "cgroup.procs").read_text().split()) >= 1
        local.engine.stop(a_stop(grace_ms=0))
        assert local.wait_ended().ending is Ending.STOPPED
        assert groups_left(local) == []
