"""`twin compare`: which figures differ, which is better, what was played differently."""

import json

import pytest

from tests.faces.cli_tools import run_cli
from tests.twin.traces import WEEK, written

ROWS = f"{WEEK}a,0,2,100,200\nb,10,3,50,100\nc,20,1,60,80\n"


def a_result(tmp_path, name, nodes, *more):
    ran = run_cli("twin", "replay", "--jobs", str(written(tmp_path, ROWS)), "--nodes", str(nodes), "--json", *more)
    return written(tmp_path, ran.out, name)


def test_two_results_side_by_side(tmp_path):
    small = a_result(tmp_path, "small.json", 3, "--report", str(tmp_path / "small"))
    large = a_result(tmp_path, "large.json", 6)
    doc = run_cli("twin", "compare", str(tmp_path / "small"), str(large), "-o", "json").document()
    found = {one["key"]: one for one in doc["differences"]}
    assert found["mean_wait_s"]["better"] == "b"
    assert found["jobs"]["change"] == 0
    assert found["jobs"]["better"] == ""
    assert doc["label"] == "simulated"
    assert not doc["same_plan"]
    shown = run_cli("twin", "compare", str(small), str(large)).out
    assert shown.startswith("SIMULATED")
    assert "plan: other decisions" in shown
    assert "the same decisions" in run_cli("twin", "compare", str(small), str(tmp_path / "small")).out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("no json", "is no JSON document"),
        ("[1]", "is no result of the twin"),
        (json.dumps({"format": "eisbach.twin-result/1", "label": "simulated"}), "bad.json holds none of the figures of a result"),
        (json.dumps({"format": "eisbach.twin-result/1", "jobs": "many"}), "jobs is 'many', which is no figure"),
    ],
)
def test_what_is_no_result_is_told(tmp_path, text, said):
    other = a_result(tmp_path, "good.json", 3)
    path = tmp_path / "absent.json" if text is None else written(tmp_path, text, "bad.json")
    ran = run_cli("twin", "compare", str(path), str(other))
    assert (ran.code, said in ran.err) == (2, True)
