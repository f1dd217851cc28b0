"""`eisbach twin ...`: what it prints, that it says it is simulated, and what it answers to bad input."""

import importlib.util
import subprocess
import sys

import pytest

from tests.faces.cli_tools import run_cli
from tests.twin.traces import TABLE, WEEK, written

KEYS = ["jobs", "finished", "mean_wait_s", "p50_wait_s", "p99_wait_s", "makespan_s", "sold", "allocated", "busy", "stranded_gpu_h", "preemptions", "promises", "promises_broken", "violations", "revenue_eur", "in_rack", "events", "plan_hash", "log_root", "cpu_s", "jobs_per_cpu_s", "peak_rss_mb"]
SITE = """
[site]
name = "tiny"
country = "DE"
operator = "Test"
operator_country = "DE"
[[node]]
name = "n"
pool = "gpu"
flavour = "b200.8"
cores = 96
memory_mib = 1048576
gpus = 8
count = 4
"""
DEMAND = '[[class]]\nname = "a"\njobs_per_day = 40\nsizes = [[1, 3], [16, 1]]\nmedian = "2h"\n'
WEEK_ROWS = f"{WEEK}a,0,2,100,200\nb,10,3,50,100\nc,20,1,60,80\n"


def test_a_replay_prints_every_key(tmp_path):
    ran = run_cli("twin", "replay", "--jobs", str(written(tmp_path, WEEK_ROWS)), "--nodes", "4", "--json")
    doc = ran.document()
    assert ran.code == 0, ran.err
    assert set(KEYS) <= set(doc)
    assert (doc["label"], doc["jobs"], doc["finished"], doc["mean_wait_s"], doc["log_root"]) == ("simulated", 3, 3, 30, "")


LOADED = """
import sys
from eisbach.cli.main import main
code = main(sys.argv[1:])
kinds = {kind for name, one in list(sys.modules.items()) if name.startswith("eisbach") for kind in vars(one).values() if isinstance(kind, type)}
print("dataclasses", sum("__dataclass_fields__" in vars(kind) for kind in kinds))
print("modules", *sys.modules)
sys.exit(code)
"""
KEEPS_ITS_LOG = {"cryptography", "eisbach.app.merge_rows", "eisbach.app.projections", "eisbach.app.snapshot", "eisbach.core.log.head", "eisbach.stores.memory", "eisbach.twin.checks"}
NOT_NEEDED = KEEPS_ITS_LOG | {
    "numpy", "pydantic", "rich", "sqlalchemy", "tomllib", "eisbach.adapters.home_files", "eisbach.app.book_capacity", "eisbach.app.cap_power",
    "eisbach.app.defragment", "eisbach.app.due_moves", "eisbach.app.meter_energy", "eisbach.app.move_bookings", "eisbach.app.outlook",
    "eisbach.app.quote_capacity", "eisbach.app.relieve_bookings", "eisbach.app.settle_bookings", "eisbach.core.billing.invoice",
    "eisbach.core.booking.quote", "eisbach.core.booking.timetable", "eisbach.core.metering.indicators", "eisbach.core.metering.split",
    "eisbach.core.power.budget", "eisbach.core.power.cooling", "eisbach.core.power.series", "eisbach.twin.faults",
}  # fmt: skip
DATACLASSES_MAX = 23
"""Of the modules that a replay loads: to define one costs as much as five named tuples or thirty structs. It may only shrink."""


def loaded_by(*arguments: str) -> tuple[set[str], int]:
    """The modules that a command loads in a process of its own, and how many dataclasses they define."""
    ran = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    said = dict(line.split(" ", 1) for line in ran.stdout.splitlines() if line.startswith(("modules ", "dataclasses ")))
    return set(said["modules"].split()), int(said["dataclasses"])


def test_a_replay_loads_no_more_than_it_uses(tmp_path):
    """Its start is a tenth of the time of ten thousand jobs."""
    command = ["twin", "replay", "--jobs", str(written(tmp_path, WEEK_ROWS)), "--nodes", "4", "--json"]
    modules, dataclasses = loaded_by(*command)
    assert not NOT_NEEDED & modules
    assert dataclasses <= DATACLASSES_MAX
    modules, _ = loaded_by(*command, "--check")
    assert modules >= KEEPS_ITS_LOG
    assert [name for name in sorted(NOT_NEEDED) if importlib.util.find_spec(name) is None] == []


def test_the_same_command_gives_the_same_plan_with_and_without_a_log(tmp_path):
    files = ["--site", str(written(tmp_path, SITE, "tiny.toml")), "--demand", str(written(tmp_path, DEMAND, "demand.toml"))]
    first, again, logged = (run_cli("twin", "run", *files, "--days", "2", *more, "--json").document() for more in ((), (), ("--log",)))
    assert first["plan_hash"] == again["plan_hash"] == logged["plan_hash"]
    assert not first["log_root"]
    assert len(logged["log_root"]) == 64
    other = run_cli("twin", "run", *files, "--days", "2", "--seed", "9", "--json").document()
    assert other["plan_hash"] != first["plan_hash"]


def test_a_check_changes_nothing_and_finds_nothing(tmp_path):
    files = ["--site", str(written(tmp_path, SITE, "tiny.toml")), "--demand", str(written(tmp_path, DEMAND, "demand.toml"))]
    faults = '[[node]]\nmtbf = "3d"\nrepair = "2h"\n'
    files += ["--faults", str(written(tmp_path, faults, "faults.toml")), "--days", "2", "--json"]
    plain, checked = run_cli("twin", "run", *files), run_cli("twin", "run", *files, "--check")
    assert checked.code == 0, checked.err
    assert plain.document()["plan_hash"] == checked.document()["plan_hash"]
    assert checked.document()["violations"] == 0


@pytest.mark.parametrize(("policy", "waits"), [("fifo", (0, 100, 160)), ("easy", (0, 100, 0))])
def test_a_policy_decides(tmp_path, policy, waits):
    rows = f"{WEEK}a,0,3,100,110\nb,0,4,60,80\nc,0,1,50,60\n"
    ran = run_cli("twin", "replay", "--jobs", str(written(tmp_path, rows)), "--nodes", "4", "--policy", policy, "--json")
    assert ran.document()["mean_wait_s"] == pytest.approx(sum(waits) / 3)


def test_people_read_that_it_is_simulated(tmp_path):
    ran = run_cli("twin", "replay", "--jobs", str(written(tmp_path, WEEK_ROWS)), "--nodes", "4")
    assert ran.out.startswith("label ")
    assert "simulated: nothing was executed" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--site", "atlantis", "--days", "1", "--jobs", "TRACE"], "atlantis"),
        (["run", "--site", "munich", "--days", "1"], "Give --jobs TRACE or --demand FILE"),
        (["run", "--site", "munich", "--demand", "TRACE"], "Say how many --days"),
        (["run", "--site", "munich", "--jobs", "TRACE", "--policy", "best"], "There is no policy 'best'"),
        (["run", "--site", "munich", "--jobs", "TRACE", "--within", "town"], "There is no level 'town'"),
        (["run", "--site", "munich", "--jobs", "TRACE", "--flavour", "a100"], "has no 'a100'"),
        (["replay", "--jobs", "TRACE", "--nodes", "2"], "gpus is 24, and the site has 2 nodes"),
        (["replay", "--jobs", "absent.csv", "--nodes", "2"], "absent.csv cannot be read"),
    ],
)
def test_bad_input_is_a_usage_error(tmp_path, arguments, said):
    trace = str(written(tmp_path, f"{TABLE}a,,0,,10,24,,,\n"))
    ran = run_cli("twin", *[trace if one == "TRACE" else one for one in arguments])
    assert said in ran.err
    assert ran.code == 2
    assert not ran.out


def test_an_event_behind_the_end_of_the_run_is_refused(tmp_path):
    faults = written(tmp_path, '[[event]]\nat = "2d"\ndo = "lose"\nnodes = ["n-0001"]\nfor = "1h"\n', "faults.toml")
    site, demand = (written(tmp_path, text, name) for text, name in ((SITE, "tiny.toml"), (DEMAND, "demand.toml")))
    arguments = ["twin", "run", "--site", str(site), "--demand", str(demand), "--faults", str(faults), "--json", "--days"]
    ran = run_cli(*arguments, "2")
    assert (ran.code, ran.out) == (2, "")
    assert "The event lose at n-0001 comes 2 days after the beginning, and the run ends after 2" in ran.err
    assert run_cli(*arguments, "3").code == 0


@pytest.mark.parametrize("report", [False, True])
def test_a_trace_that_is_late_or_breaks_off_at_its_end_plays_nothing(tmp_path, report):
    rows = "".join(f"j{nth},{nth},1,60,100\n" for nth in range(30_000))
    late = written(tmp_path, f"{WEEK}{rows}late,1,1,60,100\n", "late.csv.gz")
    whole = late.read_bytes()
    broken, damaged = tmp_path / "broken.csv.gz", tmp_path / "damaged.csv.gz"
    broken.write_bytes(whole[:-9])
    damaged.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    folder = tmp_path / "report"
    more = ["--report", str(folder)] if report else ["--json"]
    for path, said in (
        (late, "late.csv.gz:30002: submit_s is '1', which stands more than 10,000 rows behind its place"),
        (broken, "the gzip file breaks off behind this line or is damaged"),
        (damaged, "the gzip file breaks off behind this line or is damaged (CRC check failed"),
    ):
        ran = run_cli("twin", "replay", "--jobs", str(path), "--nodes", "4", *more)
        assert (ran.code, ran.out, folder.exists()) == (2, "", False)
        assert said in ran.err


def test_seconds_since_1970_are_played_from_their_first_day_on_and_said_aloud(tmp_path):
    since_1970 = WEEK_ROWS.replace("a,0", "a,1700000000").replace("b,10", "b,1700000010").replace("c,20", "c,1700000020")
    ran = run_cli("twin", "replay", "--jobs", str(written(tmp_path, since_1970)), "--nodes", "4", "--json")
    plain = run_cli("twin", "replay", "--jobs", str(written(tmp_path, WEEK_ROWS)), "--nodes", "4", "--json").document()
    assert (ran.code, ran.document()["mean_wait_s"]) == (0, plain["mean_wait_s"])
    assert ran.document()["events"] < plain["events"] + 100
    assert "submit_s counted from 1699920000 on (2023-11-14" in ran.document()["workload"]


def test_a_gang_that_no_domain_holds_is_told(tmp_path):
    trace = str(written(tmp_path, f"{TABLE}a,,0,,10,16,,,require:nvlink\n"))
    ran = run_cli("twin", "replay", "--jobs", trace, "--nodes", "4", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "The job 'a' of the workload is refused: The gang of 2 nodes must stand in one nvlink" in ran.err


def test_gangs_are_together_where_they_asked_to_be(tmp_path):
    """Racks are numbered anew in each row: equal names are no rack."""
    site = SITE.replace("count = 4", "count = 4\nnodes_per_rack = 2\nracks_per_row = 1\nrows_per_hall = 2")
    for kind, gpus, share in (("require:rack", 16, 1), ("within:row", 32, 0), ("within:hall", 32, 1)):
        trace = written(tmp_path, f"job_id,submit_s,duration_s,gpus,kind\na,0,60,{gpus},{kind}\n")
        ran = run_cli("twin", "run", "--site", str(written(tmp_path, site, "tiny.toml")), "--jobs", str(trace), "--json")
        assert ran.document()["in_rack"] == share, ran.err
