"""The industrial template on the real measurements it brings, run as users run it; and what it says about them."""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.faces.cli_tools import Ran, run_cli, run_program

TEMPLATE = Path(str(files("eisbach") / "templates" / "predictive_maintenance"))
BRINGS_NO_SCRIPT = re.compile(r"<script|\son\w+=|https?://|url\(|@import|<link|<img", re.IGNORECASE)


@pytest.fixture(scope="module")
def river():
    pytest.importorskip("river", reason="river is not installed; pip install 'eisbach[industry]' to run the industrial template")


@pytest.fixture
def detect(tmp_path, programs, monkeypatch):
    """Runs the batch program in the test's folder, without the cost of a new process."""

    def run(*arguments, **environment):
        monkeypatch.chdir(tmp_path)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = programs.detect.main(arguments)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


def figures_in(folder):
    return json.loads((folder / "outputs" / "figures.json").read_text())


@pytest.fixture(scope="module")
def water_flow(river, tmp_path_factory):
    """A folder with the outputs of a run on the measurements that river carries."""
    folder = tmp_path_factory.mktemp("water-flow")
    command = [sys.executable, TEMPLATE / "detect.py", "--language", "de"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder


def plant(days, value, start="2022-03-01T00:00:00+00:00", minutes=60, header="time,flow\n"):
    """A CSV of a plant that has a day's rhythm, with what `value` makes of it."""
    first = datetime.fromisoformat(start)
    count = days * 24 * 60 // minutes
    times = [first + timedelta(minutes=minutes * number) for number in range(count)]
    return header + "".join(f"{at.isoformat()},{value(number * minutes / 60):.3f}\n" for number, at in enumerate(times))


def calm(hour):
    return 100 + 10 * math.sin(hour / 24 * 2 * math.pi) + 0.3 * math.sin(hour * 12.9898)


# ---- real measurements -------------------------------------------------------------------------------------------


def test_all_documented_segments_are_found_and_nothing_else(water_flow):
    figures = figures_in(water_flow)
    assert (figures["documented"], figures["found"], figures["missed"], figures["false_alarms"]) == (4, 4, 0, 0)
    assert [one["delay_h"] for one in figures["segments"]] == [1, 0, 0, 0]
    assert [one["lead_h"] for one in figures["segments"]] == [17, 14, 1, 16]
    assert [one["kind"] for one in figures["segments"]] == ["low", "low", "peak", "low"]


def test_the_choice_is_made_before_anything_is_judged(water_flow):
    protocol, segments = figures_in(water_flow)["protocol"], figures_in(water_flow)["segments"]
    assert protocol["calibration_to"] < segments[0]["from"]
    assert (protocol["chosen_by"], protocol["calibration_suspects"]) == ("trial", 0)
    assert all("simulated" in one["label"] for one in figures_in(water_flow)["candidates"])


def test_what_comes_later_does_not_change_the_choice(river, detect, tmp_path):
    """The same start with another rest: same candidates, same figures of the trial."""
    for factor in (1, 3):
        (tmp_path / "plant.csv").write_text(plant(14, lambda hour, factor=factor: calm(hour) * (1 if hour < 7 * 24 else factor)))
        assert detect("--data", "plant.csv", "--outputs", f"{factor}/outputs").code == 0
    one, two = figures_in(tmp_path / "1"), figures_in(tmp_path / "3")
    assert (one["candidates"], one["protocol"]) == (two["candidates"], two["protocol"])
    assert one["alarm_count"] == 0
    assert two["alarm_count"] > 0


def test_less_tolerance_is_shown_with_its_false_alarms(water_flow):
    by_floor = {one["floor"]: (one["found"], one["missed"], one["false_alarms"]) for one in figures_in(water_flow)["sensitivity"]}
    assert by_floor == {0.02: (4, 0, 1), 0.03: (4, 0, 1), 0.05: (4, 0, 0), 0.1: (3, 1, 0)}


def test_the_same_input_gives_the_same_bytes(water_flow, detect, tmp_path):
    again = detect( "--language", "de")
    assert again.code == 0, again.err
    for name in ("figures.json", "alarms.csv", "model.json", "model.json.sha256", "report.html"):
        assert (tmp_path / "outputs" / name).read_bytes() == (water_flow / "outputs" / name).read_bytes(), name


def test_the_instants_of_the_segments_follow_from_the_rule(river, programs):
    facts = json.loads((TEMPLATE / "water_flow.json").read_text())
    source = programs.sources.find_source("water-flow", None)
    assert hashlib.sha256(source.path.read_bytes()).hexdigest() == facts["sha256"]
    with programs.readings.Readings(source.path, ZoneInfo("Europe/Rome"), programs.dialect.Wishes(), programs.readings.Limits()) as readings:
        flow = [(at_ms, value) for at_ms, value, _ in readings]
    calm_from, calm_to = (datetime.fromisoformat(facts["undisturbed"][key]).timestamp() * 1000 for key in ("from", "to"))
    undisturbed = [value for at_ms, value in flow if calm_from <= at_ms <= calm_to]
    least, most = min(undisturbed), max(undisturbed)
    assert (least, most) == (99.39, 103.71)
    lows = [run for run in runs(flow, lambda value: value < least) if min(value for _, value in run) < least / 2]
    between = [run for run in runs(flow, lambda value: value > most) if lows[1][-1][0] < run[0][0] < lows[2][0][0]]
    peak = max(between, key=lambda run: max(value for _, value in run))
    expected = sorted([(run[0][0], run[-1][0]) for run in [*lows, peak]])
    assert [(one.start_ms, one.end_ms) for one in source.segments] == expected


def runs(flow, is_out):
    found, current = [], []
    for at_ms, value in flow:
        if is_out(value):
            current.append((at_ms, value))
        elif current:
            found.append(current)
            current = []
    return found


def test_the_quotation_stands_in_the_package(river):
    """What the table calls documented is what river's own docstring says."""
    datasets = pytest.importorskip("river.datasets", reason="river is not installed; pip install 'eisbach[industry]'")
    said = " ".join(re.sub(r"[*`]", "", datasets.WaterFlow.__doc__).split()).lower()
    documented = json.loads((TEMPLATE / "water_flow.json").read_text())["documented"].lower()
    for words in ("four anomalous segments", '3 "low value moments"', "due to water losses or human intervention for maintenance", "a small peak"):
        assert words in documented
        assert words in said
    assert "tecnojest s.r.l." in said


def test_data_licence_and_digests_are_told(water_flow):
    figures = figures_in(water_flow)
    data = figures["data"]
    assert (data["rows"], data["from"], data["to"]) == (1268, "2022-03-20T10:00:00Z", "2022-05-16T20:00:00Z")
    assert "BSD-3-Clause" in data["licence"]
    assert data["sha256"] == data["sha256_documented"]
    for name, digest in figures["files"].items():
        assert hashlib.sha256((water_flow / "outputs" / name).read_bytes()).hexdigest() == digest
    line = (water_flow / "outputs" / "model.json.sha256").read_text()
    assert line == f"{figures['files']['model.json']}  model.json\n"


def test_the_model_goes_on_where_it_was_saved(water_flow, programs):
    """What the file holds is the whole detector: read back, it expects what the running one would."""
    saved = json.loads((water_flow / "outputs" / "model.json").read_text())["detector"]
    calendar = programs.forecast.Calendar(ZoneInfo(saved["time_zone"]))
    one, two = (programs.detector.Detector.from_state(json.loads(json.dumps(saved)), calendar) for _ in range(2))
    two = programs.detector.Detector.from_state(json.loads(json.dumps(two.state())), calendar)
    for hour in range(200):
        at_ms = 1_652_738_400_000 + hour * 3_600_000
        assert one.step(at_ms, 100 + hour % 9) == two.step(at_ms, 100 + hour % 9)
    assert one.state() == two.state()


# ---- the report --------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Checks that elements close in order, and collects texts."""

    VOID = {"meta", "line", "rect", "polyline", "polygon"}

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_report_is_one_page_that_asks_for_nothing(water_flow):
    page = (water_flow / "outputs" / "report.html").read_text(encoding="utf-8")
    without_names = page.replace("(www.invidea.it)", "")
    assert not BRINGS_NO_SCRIPT.search(without_names)
    assert "prefers-color-scheme:dark" in page
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert page.count("<svg") == 5
    assert page.count("<desc>") == 5


def test_the_report_speaks_the_language_that_was_asked(water_flow, detect, tmp_path):
    german = (water_flow / "outputs" / "report.html").read_text(encoding="utf-8")
    assert detect().code == 0
    english = (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in german
    assert "4 von 4 dokumentierten Abschnitten gefunden, 0 übersehen; 0 Fehlalarme" in german
    assert "95,31" in german
    assert '<html lang="en">' in english
    assert "4 of 4 documented segments found, 0 missed; 0 false alarms" in english
    assert "95.31" in english


def test_each_sentence_has_the_same_places_in_both_languages(programs):
    for key, (english, german) in programs.texts.TEXTS.items():
        places = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (english, german)]
        assert places[0] == places[1], key


def test_names_from_a_file_do_no_harm_in_the_report(detect, tmp_path):
    name = "<script>alert(1)</script>&{x}"
    (tmp_path / "plant.csv").write_text(plant(12, calm, header=f"time,{name}\n"))
    assert detect("--data", "plant.csv").code == 0
    page = (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;{x}" in page


def test_ticks_enclose_what_is_drawn(programs):
    for least, most in ((0, 1), (24.24, 109.68), (-3, 7), (1e-9, 2e-9), (5, 5), (0, 0), (1e5, 1e6)):
        ticks = programs.plots.ticks_of(least, most)
        assert ticks[0] <= least
        assert ticks[-1] >= most
        assert 3 <= len(ticks) <= 9


def test_a_long_series_is_drawn_from_a_bounded_number_of_pieces(programs):
    curve = programs.curve.Trace(60_000)
    for number in range(100_000):
        curve.add(number * 60_000, number % 1000, None, None)
    assert len(curve.pieces) <= programs.curve.PIECES_MAX
    assert (min(piece.least for piece in curve.pieces), max(piece.most for piece in curve.pieces)) == (0, 999)
    assert (curve.pieces[0].start_ms, curve.pieces[-1].end_ms) == (0, 99_999 * 60_000)


# ---- data of one's own -------------------------------------------------------------------------------------------


def test_a_fault_in_ones_own_data_is_found_and_scored_against_known_segments(detect, tmp_path):
    fault = range(10 * 24 + 5, 10 * 24 + 15)
    (tmp_path / "plant.csv").write_text(plant(20, lambda hour: calm(hour) * (0.7 if int(hour) in fault else 1)))
    known = [{"kind": "leak", "from": "2022-03-11T05:00:00+00:00", "to": "2022-03-11T14:00:00+00:00"}]
    (tmp_path / "known.json").write_text(json.dumps(known))
    ran = detect("--data", "plant.csv", "--segments", "known.json")
    assert ran.code == 0, ran.err
    figures = figures_in(tmp_path)
    assert (figures["found"], figures["missed"], figures["false_alarms"]) == (1, 0, 0)
    assert figures["segments"][0]["delay_h"] == 0
    assert figures["data"]["label"] == "as brought by its owner"


def test_a_missed_segment_and_a_false_alarm_are_told(detect, tmp_path):
    (tmp_path / "plant.csv").write_text(plant(20, lambda hour: calm(hour) * (0.7 if 250 <= hour < 255 else 1)))
    (tmp_path / "known.json").write_text('[{"kind": "leak", "from": "2022-03-15T05:00:00Z", "to": "2022-03-15T14:00:00Z"}]')
    ran = detect("--data", "plant.csv", "--segments", "known.json")
    assert "MISSED" in ran.out
    figures = figures_in(tmp_path)
    assert (figures["found"], figures["missed"], figures["false_alarms"]) == (0, 1, 1)
    assert figures["false_alarms_per_30_days"] == pytest.approx(720 / (13 * 24 - 10), rel=1e-3)
    assert "none: false alarm" in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")


def test_without_known_segments_nothing_is_called_false(detect, tmp_path):
    (tmp_path / "plant.csv").write_text(plant(20, lambda hour: calm(hour) * (0.7 if 250 <= hour < 255 else 1)))
    assert detect("--data", "plant.csv").code == 0
    figures = figures_in(tmp_path)
    assert (figures["documented"], figures["alarm_count"], "false_alarms" in figures) == (0, 1, False)


def test_a_level_that_stays_is_accepted_after_a_week(detect, tmp_path):
    (tmp_path / "plant.csv").write_text(plant(30, lambda hour: calm(hour) * (1.5 if hour >= 240 else 1)))
    assert detect("--data", "plant.csv").code == 0
    assert next(one["how"] for one in figures_in(tmp_path)["alarms"]) == "accepted"
    assert "new normal after a week" in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")


def test_a_fault_in_the_calibration_data_is_warned_of(detect, tmp_path):
    (tmp_path / "plant.csv").write_text(plant(12, lambda hour: calm(hour) * (0.3 if 50 <= hour < 60 else 1)))
    ran = detect("--data", "plant.csv", "--language", "de")
    assert "WARNING: 10 values of the calibration data do not look undisturbed" in ran.out
    assert figures_in(tmp_path)["protocol"]["calibration_suspects"] == 10
    assert "10 von 168 Werten der Kalibrierdaten liegen weit von den anderen" in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")


def test_a_data_set_of_the_project_is_read_by_its_name(detect, tmp_path):
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "pump").write_text(plant(12, calm))
    ran = detect("--data", "pump-7", EISBACH_DATA_PUMP_7=str(mounted))
    assert ran.code == 0, ran.err
    assert figures_in(tmp_path)["data"]["file"] == "pump"


def test_the_data_set_of_a_job_is_taken_unasked_and_of_two_none(detect, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pump.csv").write_text(plant(12, calm))
    assert detect(EISBACH_DATA_ONE=str(tmp_path / "one")).code == 0
    assert figures_in(tmp_path)["data"]["file"] == "pump.csv"
    ran = detect(EISBACH_DATA_TWO=str(tmp_path / "two"))
    assert ran.code == 2
    assert "this job has several data sets: ONE, TWO. Say which one to read: DATA=NAME" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "absent.csv"], "there is no file and no mounted data set 'absent.csv'"),
        (["--data", "."], ". holds a.csv, b.csv. Name one file"),
        (["--data", "a.csv", "--timezone", "Mars/Base"], "there is no time zone 'Mars/Base'"),
        (["--data", "a.csv", "--calibration-days", "30"], "are left for calibration"),
        (["--data", "a.csv", "--segments", "b.csv"], "b.csv does not list segments"),
        (["--data", "a.csv", "--segments", "local.json"], "has no offset such as +01:00"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(detect, tmp_path, arguments, said):
    (tmp_path / "a.csv").write_text(plant(12, calm))
    (tmp_path / "b.csv").write_text(plant(12, calm))
    (tmp_path / "local.json").write_text('[{"kind": "leak", "from": "2022-03-15T05:00:00", "to": "2022-03-15T14:00:00"}]')
    ran = detect(*arguments)
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_python_without_river_is_told_in_one_line(tmp_path):
    ran = subprocess.run([sys.executable, "-S", "-E", TEMPLATE / "detect.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "pip install 'eisbach[industry]', or bring a CSV of your own" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


# ---- as a job ----------------------------------------------------------------------------------------------------


def test_the_task_hands_each_of_its_variables_to_the_program():
    task = yaml.safe_load((TEMPLATE / "task.yaml").read_text())
    for name in task["envs"]:
        assert f'--{name.lower().replace("_", "-")} "${name}"' in task["run"]
    assert task["run"].startswith("exec "), "the shell must not stand between a signal and the program"


@pytest.fixture
def factory(tmp_path, monkeypatch):
    """A factory that listens on this machine, with an organisation and a project."""
    for name in ("EISBACH_URL", "EISBACH_TOKEN", "EISBACH_PROJECT", "EISBACH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run_program("up", "--detach", "--port", "0").code == 0
    assert run_cli("org", "create", "works").code == 0
    assert run_cli("project", "create", "water", "--budget", "5").code == 0
    yield
    run_cli("down")


def test_the_template_runs_as_a_job(river, factory, tmp_path):
    """First on the measurements it brings, then on a data set of the project."""
    assert run_cli("init", "predictive-maintenance", str(tmp_path / "pm")).code == 0
    ran = run_cli("run", "-y", "--env", "LANGUAGE=de", str(tmp_path / "pm" / "task.yaml"))
    assert ran.code == 0, ran.err
    assert "found=4 missed=0 false_alarms=0" in ran.out
    job = json.loads(run_cli("ps", "--all", "-o", "json").out)["jobs"][0]["job"]
    got = run_cli("artifacts", "get", job, "--into", str(tmp_path / "got"))
    assert got.code == 0, got.err
    assert "4 von 4" in next((tmp_path / "got").rglob("report.html")).read_text(encoding="utf-8")
    (tmp_path / "plant.csv").write_text(plant(12, lambda hour: calm(hour) * (0.7 if 250 <= hour < 255 else 1)))
    assert run_cli("data", "put", str(tmp_path / "plant.csv")).code == 0
    with (tmp_path / "pm" / "task.yaml").open("a") as task:
        task.write("\ndata: {plant: plant.csv}\n")
    ran = run_cli("run", "-y", str(tmp_path / "pm" / "task.yaml"))
    assert ran.code == 0, ran.err
    assert "data plant.csv: 288 lines" in ran.out
    assert "alarms=1" in ran.out
