"""The local engine when its parts are killed with -9: each attempt starts at most once and ends exactly once."""

import errno
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from eisbach.engines.local.cgroups import CgroupParents
from eisbach.engines.local.engine import LocalEngine
from eisbach.engines.local.layout import Layout
from eisbach.engines.local.processes import all_processes, descendants
from eisbach.engines.local.roster import Roster
from eisbach.engines.local.supervisor import SupervisorSettings
from eisbach.ports import crash
from eisbach.ports.engine import Ending, EngineUnavailable, Observation
from tests.contracts.engine_contract import a_stop, an_order
from tests.engines.local_harness import LocalHarness, a_local_engine, command_of, is_gone, wait_until

COUNT = "echo started >> checkpoints/count; sleep 0.2; echo result > out"
POINTS = sorted(name for name in crash.POINTS if name.startswith("engine."))
OF_ORDERS_FROM_OUTSIDE = {"engine.stop_written", "engine.forget_moved"}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalHarness]:
    with a_local_engine(tmp_path) as made:
        yield made


def starts_of(local: LocalHarness, job: str = "job_att_1") -> int:
    """Return how often the job itself says that it was started."""
    count = local.engine.scratch / "checkpoints" / job / "count"
    return count.read_text().count("started") if count.exists() else 0


def supervisors_of(local: LocalHarness) -> list[int]:
    below = descendants(local.engine.agent_pid(), all_processes())
    return [row.pid for row in below if b"eisbach.engines.local.agent" in command_of(row.pid)]


def restart(local: LocalHarness, crash_at: str = "") -> None:
    """Put another server in the place of the one that the harness has."""
    local.engine.close()
    local.engine = LocalEngine(local.home, scratch=local.engine.scratch, crash_at=crash_at)


def test_the_crash_points_of_the_engine_are_all_reached_by_these_tests() -> None:
    source = Path(crash.__file__).resolve().parents[1] / "engines" / "local"
    used = {name for name in POINTS if any(f'reached("{name}")' in file.read_text() for file in source.glob("*.py"))}
    assert used == set(POINTS)


@pytest.mark.parametrize("again", [False, True], ids=["once", "again"])
@pytest.mark.parametrize("point", [name for name in POINTS if name not in OF_ORDERS_FROM_OUTSIDE])
def test_a_crash_at_any_point(point: str, again: bool, tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at=point) as local:
        order = an_order(run=COUNT, tasks=1, outputs=("out",))
        local.engine.start(order)
        if again:  # the next agent dies at the same point, as far as it comes there
            wait_until(lambda: local.seen() is not None)
            local.kill_agent()
            restart(local, crash_at=point)
            local.engine.recover()
            local.engine.start(order)
        seen = local.wait_ended()
        assert seen.ending in (Ending.EXITED, Ending.LOST)
        assert starts_of(local) == 1 or (starts_of(local) == 0 and seen.ending is Ending.LOST)
        if seen.ending is Ending.EXITED:
            assert [artifact.path for artifact in local.engine.artifacts("att_1")] == ["out"]
        local.kill_agent()
        restart(local)
        local.engine.start(order)
        assert local.seen() == seen
        assert starts_of(local) <= 1


def test_a_crash_while_a_stop_is_passed_on(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at="engine.stop_written") as local:
        local.engine.start(an_order(run="sleep 60"))
        local.wait_running()
        local.engine.stop(a_stop())
        assert local.wait_ended().ending is Ending.STOPPED


def test_a_crash_while_an_attempt_is_forgotten(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at="engine.forget_moved") as local:
        local.run(an_order())
        local.engine.forget("att_1")
        assert local.engine.observe() == []
        local.wait(lambda: not list((local.engine.scratch / "attempts").iterdir()))


def test_work_outlives_a_killed_server(tmp_path: Path) -> None:
    with a_local_engine(tmp_path) as local:
        order = msgspec.json.encode({"home": str(local.home), "scratch": str(local.engine.scratch), "run": COUNT})
        program = (
            "import json, os, signal, sys\n"
            "from pathlib import Path\n"
            "from eisbach.engines.local.engine import LocalEngine\n"
            "from tests.contracts.engine_contract import an_order\n"
            "said = json.loads(sys.argv[1])\n"
            "engine = LocalEngine(Path(said['home']), scratch=Path(said['scratch']))\n"
            "engine.start(an_order(run=said['run']))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        source = Path(__file__).resolve().parents[2]
        died = subprocess.run([sys.executable, "-c", program, order.decode()], cwd=source, check=False)
        assert died.returncode == -signal.SIGKILL
        assert local.wait_ended().ending is Ending.EXITED
        assert starts_of(local) == 1


def test_work_outlives_a_killed_agent_and_its_time_is_whole(local: LocalHarness) -> None:
    told = []
    local.engine.subscribe(told.append)
    local.engine.start(an_order(run="echo started >> checkpoints/count; sleep 1"))
    before = local.wait_running()
    local.kill_agent()
    local.wait(lambda: any(seen.ending is not None for seen in told))  # nobody asks: the engine itself goes on
    seen = local.wait_ended()
    assert seen.ending is Ending.EXITED
    assert seen.running_since_ms == before.running_since_ms
    assert seen.held_ms >= 1_000
    assert starts_of(local) == 1


def test_a_running_attempt_is_still_stopped_after_the_agent_was_killed(local: LocalHarness) -> None:
    local.engine.start(an_order(run="sleep 60"))
    local.wait_running()
    local.kill_agent()
    local.engine.stop(a_stop())
    assert local.wait_ended().ending is Ending.STOPPED


@pytest.mark.parametrize("agent_lives", [True, False])
def test_a_killed_supervisor_is_a_loss_and_leaves_nothing(agent_lives: bool, local: LocalHarness) -> None:
    run = "setsid sleep 60 & setsid env -i setsid -f sleep 60; echo $(pgrep -x sleep) $$; sleep 60"
    local.engine.start(an_order(tasks=2, run=run))
    local.wait(lambda: len(local.log()) == 2)
    (supervisor,) = supervisors_of(local)
    tasks = [row.pid for row in descendants(supervisor, all_processes())]
    assert len(tasks) >= 6
    if not agent_lives:
        local.kill_agent()
    os.kill(supervisor, signal.SIGKILL)
    seen = local.wait_ended()
    assert seen.ending is Ending.LOST
    assert seen.held_ms > 0
    assert "supervisor" in seen.detail
    assert all(is_gone(pid) for pid in tasks)


def test_secrets_are_sent_again_when_the_agent_lost_them(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at="engine.order_written") as local:
        assert local.run(an_order(run="test $TOKEN = mine", secrets=(("TOKEN", "mine"),))).exit_code == 0


def test_an_order_waits_for_its_secrets_where_the_server_lost_them_too(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at="engine.answered") as local:
        order = an_order(run="test $TOKEN = mine", secrets=(("TOKEN", "mine"),))
        local.engine.start(order)
        restart(local)
        seen = local.seen()
        assert seen is not None
        assert (seen.running_since_ms, seen.ending) == (None, None)
        assert local.run(order).exit_code == 0


def test_an_order_that_waits_for_its_secrets_can_be_stopped(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, crash_at="engine.answered") as local:
        local.engine.start(an_order(secrets=(("TOKEN", "mine"),)))
        restart(local)
        local.engine.stop(a_stop())
        assert local.wait_ended().ending is Ending.STOPPED


def forge(local: LocalHarness, **marker: object) -> None:
    """Write into the journal of a running attempt that somebody else supervises it, all of its processes killed."""
    (supervisor,) = supervisors_of(local)
    tasks = descendants(supervisor, all_processes())
    local.kill_agent()
    for pid in (supervisor, *(row.pid for row in tasks)):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: is_gone(pid))
    journal = local.home / "attempts" / "att_1" / "journal"
    lines = [msgspec.json.decode(line) for line in journal.read_bytes().split(b"\n") if line]
    for line in lines:
        if line["type"] == "started":
            line.update(marker)
    journal.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n")


def test_a_later_process_with_the_supervisors_pid_is_not_taken_for_it(local: LocalHarness) -> None:
    local.engine.start(an_order(run="sleep 60"))
    local.wait_running()
    forge(local, pid=os.getpid())
    assert local.wait_ended().ending is Ending.LOST  # and this process was not killed


def test_a_restart_of_the_machine_is_a_loss(local: LocalHarness) -> None:
    local.engine.start(an_order(run="sleep 60"))
    local.wait_running()
    forge(local, boot_id="another")
    seen = local.wait_ended()
    assert (seen.ending, seen.detail) == (Ending.LOST, "the machine was restarted")


def test_an_order_torn_by_a_crash_was_never_seen(local: LocalHarness) -> None:
    local.run(an_order())
    local.kill_agent()
    torn = local.home / "attempts" / "att_torn"
    torn.mkdir()
    (torn / "journal").write_bytes(b'\n{"type":"order","order":{"attempt_id":"att_to')
    assert local.seen("att_torn") is None
    assert local.run(an_order("att_torn")).ending is Ending.EXITED


def test_a_second_server_uses_the_same_agent(local: LocalHarness) -> None:
    first = local.engine.agent_pid()
    other = LocalEngine(local.home, scratch=local.engine.scratch)
    assert other.agent_pid() == first
    other.close()


def test_an_agent_from_before_an_upgrade_is_replaced_and_work_goes_on(local: LocalHarness, monkeypatch) -> None:
    local.engine.start(an_order(run=COUNT))
    local.wait_running()
    old = local.engine.agent_pid()
    monkeypatch.setattr("eisbach.engines.local.engine.PROTOCOL_VERSION", 0)
    newer = LocalEngine(local.home, scratch=local.engine.scratch)
    with pytest.raises(EngineUnavailable, match="does not answer"):
        newer.observe()  # there is no agent of version 0 to be had, so each new one is sent away as well
    newer.close()
    monkeypatch.undo()
    assert is_gone(old)
    assert local.wait_ended().ending is Ending.EXITED
    assert starts_of(local) == 1


def test_down_ends_the_agent_and_work_goes_on(local: LocalHarness) -> None:
    local.engine.start(an_order(run=COUNT))
    local.wait_running()
    agent = local.engine.agent_pid()
    local.engine.shut_agent_down()
    wait_until(lambda: is_gone(agent))
    assert local.wait_ended().ending is Ending.EXITED
    assert starts_of(local) == 1


@pytest.mark.prove
def test_kills_at_random_under_many_attempts(local: LocalHarness) -> None:
    chance = random.Random(20)
    attempts = [f"att_{number:03d}" for number in range(300)]
    for number, attempt in enumerate(attempts):
        for _ in range(3):
            try:
                local.engine.start(an_order(attempt, run=COUNT, memory_mib=64))
                break
            except EngineUnavailable:
                continue
        if number % 15 == 7:
            victims = [local.engine.agent_pid(), *supervisors_of(local)]
            victim = chance.choice(victims)
            if chance.random() < 0.5:
                victim = victims[0]
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
    local.wait(lambda: all(local.has_ended(attempt) for attempt in attempts))
    for attempt in attempts:
        seen = local.seen(attempt)
        assert seen is not None
        assert seen.ending in (Ending.EXITED, Ending.LOST)
        assert starts_of(local, f"job_{attempt}") == 1 or seen.ending is Ending.LOST
        assert starts_of(local, f"job_{attempt}") <= 1


def test_an_agent_that_cannot_fork_lives_on_and_gives_the_attempt_up(tmp_path: Path, monkeypatch) -> None:
    layout = Layout(tmp_path / "home", tmp_path / "scratch")
    layout.make()
    settings = SupervisorSettings(layout=layout, parents=CgroupParents(), boot_id="b", log_bytes_max=1 << 20)
    said: list[Observation] = []
    roster = Roster(settings, False, lambda fd, callback: None, lambda fd: None, said.append)

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    assert roster.accept(an_order("att_1"))
    roster.launch("att_1")
    for _ in range(10):
        roster.look_again()
    assert [(seen.attempt_id, seen.ending) for seen in said] == [("att_1", Ending.LOST)]
    assert not roster.undecided


def test_ending_lost_work_spares_an_attempt_of_the_same_id_in_another_home(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with a_local_engine(tmp_path / "one") as one, a_local_engine(tmp_path / "other") as other:
        for local in (other, one):  # the later one's supervisor is younger than all that it may end
            local.engine.start(an_order(run="sleep 60"))
            local.wait_running()
        for pid in supervisors_of(other):
            os.kill(pid, signal.SIGKILL)
        assert other.wait_ended().ending is Ending.LOST
        seen = one.seen()
        assert seen is not None
        assert seen.ending is None
        one.engine.stop(a_stop(grace_ms=0))
        one.wait_ended()
