"""The report: one page that needs nothing else, says that it is simulated, and lets no tenant write into it."""

import json
import re

import pytest

from eisbach.app import close_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.events import AttemptPlanned, JobEnded
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.core.capacity.targets import Targets
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.twin import report_plots
from eisbach.twin.curve import Curve
from eisbach.twin.promise_record import PromiseRecord
from eisbach.twin.recorder import Entry, size_of
from eisbach.twin.report import page_of
from eisbach.twin.report_promises import promises
from eisbach.twin.reported import play_reported
from eisbach.twin.run import Act
from eisbach.twin.scenario import Scenario
from eisbach.twin.trace_workload import TraceWorkload
from eisbach.twin.world import START_MS
from tests.faces.chromium import chromium_path
from tests.faces.cli_tools import run_cli
from tests.twin.traces import WEEK, a_site, written

ROWS = f"{WEEK}a,0,2,9000,20000\nb,10,3,5000,10000\nc,20,1,6000,8000\n"
EVIL = '</script><script>alert("x")</script>'


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    trace = written(folder, ROWS, "<b>week.csv")
    ran = run_cli("twin", "replay", "--jobs", str(trace), "--nodes", "4", "--report", str(folder / "out"), "--json")
    return folder / "out", ran


def test_page_and_result_are_written(reported):
    folder, ran = reported
    assert ran.code == 0, ran.err
    assert "report.html" in ran.err
    assert json.loads((folder / "result.json").read_text()) == ran.document()
    page = (folder / "report.html").read_text()
    assert "<title>Twin of bench, simulated</title>" in page
    assert all(f">{title} <small" in page for title in ("Utilisation", "Waits by class and size", "Calendar", "Promises", "Halls and racks", "Fragmentation"))
    assert "&lt;b&gt;week.csv" in page
    assert "<b>week.csv" not in page


def test_the_overview_says_what_is_assumed_and_what_is_not_known(reported):
    folder, ran = reported
    page = (folder / "report.html").read_text()
    assert '<h2>Assumed <small class="label">simulated</small></h2>' in page
    assert [one for one in ran.document()["assumptions"] if f"<li>{one}</li>" not in page] == []
    assert "Not known, or not played" not in page, "a trace is played as it stands"
    assert "Not known, or not played" in page_of({**ran.document(), "unknown": ["<who> gave up"]}, [])
    assert "<li>&lt;who&gt; gave up</li>" in page_of({**ran.document(), "unknown": ["<who> gave up"]}, [])


def promised(*events):
    """A record of events about promises: (instant in minutes, body)."""
    record = PromiseRecord()
    for minute, body in events:
        record.kinds[type(body)](minute * MINUTE_MS, body)
    return record.promises


def given(job, minute):
    return StartPromised(job=job, from_ms=minute * MINUTE_MS, until_ms=10**9, nodes=("n",), is_shared=False)


def started(job):
    return AttemptPlanned(attempt="att_" + job, job=job, number=1, shape=0, tasks=(), limit_ms=1, epoch=1)


def test_what_became_of_each_promise():
    found = promised(
        (0, given("kept", 60)), (10, given("kept", 50)), (30, started("kept")),
        (0, given("broken", 60)), (61, StartUnpromised(job="broken", from_ms=60 * MINUTE_MS, cause="hardware")), (90, started("broken")),
        (0, given("late", 60)), (75, started("late")),
        (0, given("never", 60)), (61, StartUnpromised(job="never", from_ms=60 * MINUTE_MS, cause="operator")),
        (0, given("cancelled", 60)), (5, JobEnded(job="cancelled", outcome="cancelled", reason="CANCELLED", by="t")),
        (0, given("open", 60)),
    )  # fmt: skip
    assert [(one.job, one.promised_ms // MINUTE_MS, one.started_ms and one.started_ms // MINUTE_MS, one.cause) for one in found] == [
        ("kept", 50, 30, ""), ("broken", 60, 90, "hardware"), ("late", 60, 75, "late"), ("never", 60, None, "operator"),
    ]  # fmt: skip
    plot = promises(found)
    drawn = {trace["name"]: trace["y"] for trace in plot.spec["data"]}
    assert drawn == {"kept": [-0.333], "broken: hardware": [0.5], "broken: late": [0.25], "broken: operator": []}
    assert [row[0] for row in plot.rows] == ["broken", "late", "never"]
    assert "1 of 4 promised starts were kept" in plot.about
    assert promises([]).rows == []


def test_a_drain_by_a_deadline_is_drawn_to_the_end_of_a_run_that_ends_with_its_work(tmp_path):
    drain = close_nodes.command(SYSTEM, targets=Targets(names=("n0",)), from_ms=START_MS + HOUR_MS)
    workload = TraceWorkload(written(tmp_path, ROWS), a_site())
    scenario = Scenario(sites=(a_site(),), workload=workload, acts=[Act(START_MS, lambda world: world.perform(drain))])
    document, page = play_reported(scenario, tmp_path / "out")
    assert document["finished"] == 3
    assert document["events"] < 100, "and no hour beyond"
    (entry,) = [row for row in re.findall(r"<tr>(.*?)</tr>", page.read_text(), re.DOTALL) if ">maintenance<" in row]
    assert [end[11:16] for end in re.findall(r"[0-9]{4}-[0-9-]+T[0-9:]+", entry)] == ["01:00", "03:53"], "when the last work ends"


def test_the_page_fetches_nothing(reported):
    page = (reported[0] / "report.html").read_text()
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "default-src 'none'" in own
    assert not re.search(r"(src|href)\s*=", own)


def test_the_page_draws_its_plots_in_a_browser_that_reaches_nothing(reported):
    sync_api = pytest.importorskip("playwright.sync_api")
    wrong: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto((reported[0] / "report.html").as_uri())
        page.wait_for_selector("#waits .main-svg")
        drawn = page.locator(".plot .main-svg").count()
        browser.close()
    assert wrong == []
    assert len(asked) == 1
    assert drawn >= 3


def test_no_tenant_writes_into_the_page():
    entry = Entry(kind="booking", whose=EVIL, from_ms=0, until_ms=3_600_000, nodes=4)
    document = {"sites": [EVIL], "workload": EVIL, "policy": "default", "seed": 1, "label": "simulated", "assumptions": [EVIL], "unknown": [EVIL]}
    page = page_of(document, [report_plots.calendar([entry])])
    assert EVIL not in page
    assert "<script>alert" not in page
    assert "</script><script>alert" not in page.replace("\\u003c", "<")  # nor once plotly has read its texts


def test_a_curve_has_the_means_of_what_was_held():
    curve = Curve(1000, 100)
    curve.add(1000, 1250, 4)
    curve.add(1110, 1120, 10)
    assert curve.means(4) == [4.0, 5.0, 2.0, 0.0]


def test_sizes_have_classes():
    sizes = [size_of(gpus) for gpus in (500, 1000, 8000, 9000, 64_000, 511_000, 512_000)]
    assert sizes == ["part of a GPU", "1 GPU", "2 to 8", "9 to 64", "9 to 64", "65 to 511", "512 and more"]


def test_a_report_that_cannot_be_written_is_told(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    trace = str(written(tmp_path, ROWS))
    ran = run_cli("twin", "replay", "--jobs", trace, "--nodes", "4", "--report", str(blocked / "out"))
    assert ran.code == 1
    assert "The report cannot be written" in ran.err
