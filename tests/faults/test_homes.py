"""Homes that cannot be used, files in them that were edited, and clocks that were set: told in words, nothing lost."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from eisbach import wiring
from eisbach.adapters.clocks import BACK_TOLERANCE_MS, ManualClock, SystemClock
from eisbach.app import events as e
from eisbach.app.event_codec import open_event
from eisbach.cli.exit_codes import ExitCode
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.engines.simulated import SimulatedEngine
from tests.app.factory import Factory, a_job, new_factory, reopen
from tests.faces.cli_tools import run_cli
from tests.faults.end_checks import check_home, read_events
from tests.faults.harness import ROOT, RealFactory, a_folder, write_site

NOBODY = 65534
AS_NOBODY = f"""\
import os, sys
from eisbach.cli.main import main
import eisbach.cli.up, eisbach.cli.home_checks, eisbach.wiring
os.setgroups([]); os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
sys.exit(main(sys.argv[1:]))
"""


# ---- places that cannot be used ----------------------------------------------------------------------------------


def test_a_home_that_this_user_may_not_write_is_refused(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("no small disk or other user: this user is not root")
    with a_folder() as folder:
        for home, why in ((folder / "home", "Permission denied"), (folder / "closed", "no permission to write")):
            if home.name == "closed":
                home.mkdir(mode=0o755)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
            command = [sys.executable, "-c", AS_NOBODY, "up", "--home", str(home), "--port", "0"]
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
            assert ran.returncode == ExitCode.REFUSED, ran.stderr
            assert f"The home {home} is not writable: {why}" in ran.stderr
            assert "--home" in ran.stderr
            assert not home.exists() or not list(home.iterdir())


def test_a_home_on_a_disk_that_is_mounted_read_only_is_refused(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700,ro", "eisbach-test", str(place)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk: this user cannot mount a tmpfs")
    try:
        ran = run_cli("up", "--home", str(place), "--port", "0")
        assert ran.code == ExitCode.REFUSED
        assert "read-only" in ran.err.lower()
        ran = run_cli("up", "--home", str(place / "home"), "--port", "0")
        assert ran.code == ExitCode.REFUSED
        assert "read-only" in ran.err.lower()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_home_that_a_server_uses_is_refused_by_its_lock(factory):
    assert factory.start(), factory.said()
    (factory.home / "server.json").unlink()  # whatever that file says: the kernel's lock decides
    with pytest.raises(wiring.CannotStart, match=f"process {factory.pid}"):
        wiring.open_home(factory.home)
    assert factory.call("GET", "/healthz")[0] == 200
    factory.kill()
    assert factory.start(), "a lock dies with its holder"


def test_a_home_from_a_newer_version_is_left_as_it_is(tmp_path):
    home = tmp_path / "home"
    write_site(home, 2)
    file = home / wiring.DATABASE
    sqlite3.connect(file).executescript(
        "CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('9999');"
    )
    before = file.read_bytes()
    with pytest.raises(wiring.CannotStart, match="newer"):
        wiring.open_home(home)
    assert file.read_bytes() == before


# ---- files of a home ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [wiring.LOG_KEY, wiring.OPERATOR_TOKEN])
def test_a_secret_that_others_may_read_is_refused_until_that_is_mended(factory, name):
    assert factory.start(), factory.said()
    factory.stop()
    file = factory.home / name
    file.chmod(0o644)
    assert not factory.start()
    assert factory.status == 1
    assert str(file) in factory.said()
    assert "chmod" in factory.said() or "0644" in factory.said()
    file.chmod(0o600)
    assert factory.start(), factory.said()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (wiring.SITE_FILE, "[site", "not valid TOML"),
        (wiring.SITE_FILE, "[site]\nname = 'here'\n", "node"),
        (wiring.SITE_FILE, "[site]\nname = 'here'\ncuntry = 'DE'\n", "cuntry"),
        (wiring.PRICE_FILE, 'version = "1"', "is missing"),
        (wiring.LOG_KEY, "not a key", "key"),
    ],
)
def test_a_file_that_was_broken_is_named_and_once_mended_all_is_there(factory, name, content, says):
    assert factory.start(), factory.said()
    factory.furnish()
    job = factory.submit(factory.task("true"))
    factory.wait_for_state(job, "ended")
    factory.stop()
    file = factory.home / name
    good = file.read_bytes()
    file.write_text(content)
    assert not factory.start()
    assert factory.status == 1
    assert str(file) in factory.said()
    assert says in factory.said()
    file.write_bytes(good)
    assert factory.start(), factory.said()
    assert factory.job(job)["outcome"] == "succeeded"


def test_other_prices_hold_for_what_comes_and_running_work_keeps_its_own(factory):
    assert factory.start(), factory.said()
    factory.furnish()
    before = factory.submit(factory.task("exec sleep 600"))
    factory.wait_for_state(before, "running")
    factory.kill()
    prices = factory.home / wiring.PRICE_FILE
    prices.write_text(prices.read_text().replace('core_hour = "0.04"', 'core_hour = "400"'))
    assert factory.start(), factory.said()
    after = factory.submit(factory.task("exec sleep 600"))
    assert factory.job(after)["ceiling_micro_eur"] > 1000 * factory.job(before)["ceiling_micro_eur"]
    factory.wait_for_state(after, "running")
    for job in (before, after):
        factory.made("POST", f"/v1/jobs/{job}/cancel")
        factory.wait_for_state(job, "ended")
    factory.stop()
    stories = check_home(factory.home)  # each was charged by the price that it was submitted at
    assert stories[before].prices[0] * 1000 < stories[after].prices[0]
    versions = [event.body.version for event in events_of(factory) if isinstance(event.body, e.TariffPublished)]
    assert len(set(versions)) == 2


def test_a_node_that_is_in_use_is_drained_and_the_rest_of_the_site_changes_at_once(factory):
    write_site(factory.home, 2, "node-1", "node-2")
    assert factory.start(), factory.said()
    factory.furnish()
    job = factory.submit(factory.task("exec sleep 600"))
    factory.wait_for_state(job, "running")
    factory.kill()
    write_site(factory.home, 4, "node-1", "node-3")
    assert factory.start(), factory.said()
    nodes = {one["node"]: one for one in factory.made("GET", "/v1/nodes")["items"]}
    assert [name for name, node in sorted(nodes.items()) if not node["removed"]] == ["node-1", "node-3"]
    assert nodes["node-1"]["drained"]
    assert nodes["node-1"]["cpu_milli"] == 2000
    assert nodes["node-3"]["cpu_milli"] == 4000
    assert factory.job(job)["state"] == "running"
    factory.made("POST", f"/v1/jobs/{job}/cancel")
    factory.wait_for_state(job, "ended")
    factory.kill()
    assert factory.start(), factory.said()
    nodes = {one["node"]: one for one in factory.made("GET", "/v1/nodes")["items"]}
    assert not nodes["node-1"]["drained"]
    assert nodes["node-1"]["cpu_milli"] == 4000
    factory.stop()
    check_home(factory.home)


def events_of(factory: RealFactory):
    store = wiring.open_sqlite(factory.home / wiring.DATABASE)
    try:
        return read_events(store)
    finally:
        store.close()


def test_a_crash_point_that_does_not_exist_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("EISBACH_CRASH_AT", "nowhere")
    with pytest.raises(wiring.CannotStart, match="nowhere"):
        wiring.open_home(tmp_path / "home")


# ---- clocks ------------------------------------------------------------------------------------------------------


class Machine:
    """The machine's two clocks, set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ms, self.uptime_ms = 1_780_000_000_000, 5_000_000
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_ms * 1_000_000)
        monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: self.uptime_ms * 1_000_000)

    def pass_time(self, milliseconds: int) -> None:
        self.wall_ms += milliseconds
        self.uptime_ms += milliseconds


def test_a_clock_that_is_set_back_goes_on_at_the_pace_of_the_machine(monkeypatch):
    machine = Machine(monkeypatch)
    clock = SystemClock()
    first = clock.now()
    machine.pass_time(1000)
    assert clock.now() == first + 1000
    machine.wall_ms -= DAY_MS
    assert clock.now() == first + 1000
    for seconds in range(2, 5):
        machine.pass_time(1000)
        assert clock.now() == first + seconds * 1000
    machine.wall_ms += DAY_MS + HOUR_MS
    assert clock.now() == machine.wall_ms, "a wall clock that is ahead is right"


def test_a_small_step_back_is_waited_out(monkeypatch):
    machine = Machine(monkeypatch)
    clock = SystemClock()
    first = clock.now()
    machine.wall_ms -= BACK_TOLERANCE_MS
    assert clock.now() == first
    machine.pass_time(BACK_TOLERANCE_MS + 1)
    assert clock.now() == first + 1


def test_a_server_whose_clock_was_set_back_while_it_was_down_goes_on_from_the_log(tmp_path):
    factory = new_factory(tmp_path)
    broken = factory.submit(a_job("exit 1", attempts=5))  # retried at once, then after 1, 2, 4 seconds
    running = factory.submit(a_job("sleep 600"))
    factory.pass_time(1_500)
    last = factory.app.applier.state.last_ms
    clock = ManualClock(last - DAY_MS)
    engine = SimulatedEngine(clock)
    again = reopen(tmp_path, factory.store, clock, engine, factory.site)
    jumps = jumps_of(again)
    assert [(one.expected_ms, one.seen_ms) for one in jumps] == [(last, last - DAY_MS)]
    again.run_rounds()
    assert again.app.applier.state.last_ms >= last
    assert len(jumps_of(again)) == 1, "one jump is told once"
    again.pass_time(2 * MINUTE_MS)
    assert again.job(broken)["state"] == "ended", "delays pass though the wall clock is a day behind the log"
    again.pass_time(20 * MINUTE_MS)
    again.run_rounds()
    assert again.job(running)["outcome"] in ("succeeded", "lost")
    assert again.app.applier.state.ledger.total() == 0
    instants = [sealed.at_ms for sealed in again.store.events(limit=10_000)]
    assert instants == sorted(instants)


def test_held_time_and_charge_do_not_follow_the_wall_clock(factory):
    """The supervisor measures on CLOCK_BOOTTIME; here the log's own instants must not matter either."""
    assert factory.start(), factory.said()
    factory.furnish()
    job = factory.submit(factory.task("sleep 0.5"))
    factory.wait_for_state(job, "ended")
    factory.stop()
    stories = check_home(factory.home)
    assert stories[job].weight >= stories[job].prices[0] * 500


def jumps_of(factory: Factory) -> list[e.ClockJumped]:
    bodies = [open_event(sealed.data).body for sealed in factory.store.events(limit=10_000)]
    return [body for body in bodies if isinstance(body, e.ClockJumped)]


