"""`twin replay --history`: the factory's own past, played once more, while its server holds the home."""

import re
from random import Random

import pytest

from eisbach.adapters.signing import signer_from
from eisbach.app import set_scheduler, tend_nodes
from eisbach.app.commands import SYSTEM
from eisbach.core.capacity.targets import Targets
from eisbach.stores.sql.opening import open_sqlite
from eisbach.twin.figures import Figures
from eisbach.twin.run import Act, run
from eisbach.twin.trace_workload import TraceWorkload
from eisbach.twin.world import ORIGIN, START_MS, World
from eisbach.wiring import DATABASE
from tests.faces.cli_tools import run_cli
from tests.twin.traces import TABLE, a_site, written

ROWS = "a,ann,0,,3000,24,,,\nb,bob,10,,600,32,,,within:rack\nc,ann,20,,500,8,,,class:spot\nd,bob,7200,,900,0.5,,,\n"


def drain(world):
    world.perform(tend_nodes.command(SYSTEM, act=tend_nodes.Act.DRAIN, targets=Targets(names=("n3",))))


@pytest.fixture
def lived(tmp_path):
    """A home in which a factory lived for two hours, still held by it, and the hash of all that it decided."""
    store = open_sqlite(tmp_path / DATABASE)
    site = a_site(4)
    world = World((site,), store=store, signer=signer_from(ORIGIN, Random(1).randbytes(32)))
    workload = TraceWorkload(written(tmp_path, TABLE + ROWS), site)
    for customer in workload.customers:
        world.add_customer(customer.name, customer.segment)
    world.perform(set_scheduler.command(SYSTEM, policy="fifo"))
    figures = Figures(world)
    run(world, workload, acts=[Act(START_MS + 7_000_000, drain)])
    yield tmp_path, figures.plan_hash.hexdigest()
    world.application.close()


def test_the_same_policy_decides_the_same_and_another_one_something_else(lived):
    home, plan_hash = lived
    ran = run_cli("twin", "replay", "--history", "--home", str(home), "--json")
    assert ran.code == 0, ran.err
    doc = ran.document()
    assert (doc["policy"], doc["jobs"], doc["plan_hash"]) == ("fifo", 4, plan_hash)
    assert any("nobody submitted" in line for line in doc["unknown"])
    easy = run_cli("twin", "replay", "--history", "--home", str(home), "--policy", "easy", "--json").document()
    assert easy["plan_hash"] != plan_hash
    assert easy["mean_wait_s"] < doc["mean_wait_s"]


def test_a_part_of_the_past(lived):
    home, _ = lived
    ran = run_cli("twin", "replay", "--history", "--home", str(home), "--from", "2026-01-05T01:00:00", "--until", "2026-01-06", "--json")
    assert ran.document()["jobs"] == 1
    shown = run_cli("twin", "replay", "--history", "--home", str(home), "--until", "2026-01-05T01:00:00")
    assert "not known" in shown.out
    assert re.search(r"^jobs +3, 3 of them finished$", shown.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--from", "2027-01-01"], 4, "No job of this time ran to an end"),
        (["--from", "soon"], 2, "'soon' is no instant"),
        (["--jobs", "x.csv"], 2, "one of the two"),
        (["--policy", "best"], 2, "There is no policy 'best'"),
        (["--from", "2026-01-05", "--zone", "Bavaria"], 2, "There is no time zone 'Bavaria'"),
        (["--until", "9999-12-31T23:59:59Z", "--zone", "Europe/Berlin"], 2, "'9999-12-31T23:59:59Z' is no instant"),
        (["--from", "0001-01-01T00:00:00Z", "--zone", "America/New_York"], 2, "'0001-01-01T00:00:00Z' is no instant"),
        (["--notice", "2h"], 2, "A notice of 7200000 ms is not possible"),
        (["--half-life", "90m"], 2, "must be whole hours"),
        (["--minimum-run", "soon"], 2, "--minimum-run is 'soon'"),
    ],
)
def test_bad_questions_about_the_past(lived, more, code, said):
    ran = run_cli("twin", "replay", "--history", "--home", str(lived[0]), *more)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_times_of_a_part_are_in_utc_a_zone_or_with_their_offset(lived):
    """Each of these is one o'clock in the morning, UTC, and the command says so."""
    home = str(lived[0])
    for said in (["2026-01-05T01:00:00"], ["2026-01-05T02:00:00+01:00"], ["2026-01-05T02:00:00", "--zone", "Europe/Berlin"], ["2026-01-05T01:00:00", "--zone", "UTC"]):
        ran = run_cli("twin", "replay", "--history", "--home", home, "--from", *said, "--json")
        assert ran.document()["jobs"] == 1, said
        assert "history: from 2026-01-05T01:00:00Z" in ran.err, said
    assert "(2026-01-05T02:00+01:00 CET)" in run_cli("twin", "replay", "--history", "--home", home, "--from", "2026-01-05T02:00", "--zone", "Europe/Berlin").err


def test_numbers_of_the_policy_can_be_others(lived):
    home = str(lived[0])
    more = ["--notice", "2m", "--minimum-run", "0", "--half-life", "36h", "--promised-nodes", "3"]
    doc = run_cli("twin", "replay", "--history", "--home", home, "--policy", "default", *more, "--json").document()
    assert (doc["policy"], doc["notice_s"], doc["minimum_run_s"], doc["half_life_h"], doc["promised_nodes"]) == ("default", 120, 0, 36, 3)
    own = run_cli("twin", "replay", "--history", "--home", home, "--notice", "2m", "--json").document()
    assert (own["policy"], own["notice_s"], own["minimum_run_s"], own["half_life_h"], own["promised_nodes"]) == ("fifo", 120, 600, 168, 0)


def test_a_home_without_a_past(tmp_path):
    ran = run_cli("twin", "replay", "--history", "--home", str(tmp_path))
    assert (ran.code, "there is no store" in ran.err) == (4, True)
    assert list(tmp_path.iterdir()) == []


def test_the_operators_story(lived, monkeypatch):
    """What docs/twin.md tells: last month as it was, with another policy, compared; then the same month on a bad day."""
    home, _ = lived
    monkeypatch.setenv("EISBACH_HOME", str(home))
    before = written(home, run_cli("twin", "replay", "--history", "--json").out, "as-it-was.json")
    after = written(home, run_cli("twin", "replay", "--history", "--policy", "easy", "--json").out, "with-easy.json")
    compared = run_cli("twin", "compare", str(before), str(after))
    assert "played differently: policy: fifo and easy" in compared.out
    faults = written(home, '[[node]]\nmtbf = "120d"\n[[event]]\nat = "30m"\ndo = "lose"\nrack = "rack-1"\nfor = "2h"\n', "faults.toml")
    for policy, folder in (("", "bad-day-as-it-is"), ("easy", "bad-day-easy")):
        more = ["--policy", policy] if policy else []
        ran = run_cli("twin", "replay", "--history", "--faults", str(faults), *more, "--report", str(home / folder))
        assert ran.code == 0, ran.err
        assert (home / folder / "report.html").is_file()
    compared = run_cli("twin", "compare", str(home / "bad-day-as-it-is"), str(home / "bad-day-easy"), "-o", "json").document()
    assert compared["unlike"] == ["policy: fifo and easy"]
