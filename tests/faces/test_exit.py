"""Leaving over the API and the command line, into a second factory with a store of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import listening, run_cli
from tests.faces.factory_world import make_world

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_export.py"


@pytest.fixture
def elsewhere(tmp_path):
    made = make_world(tmp_path / "elsewhere", seed=70)
    yield made
    made.application.stop()


def test_an_organisation_leaves_and_comes_by_command(world, elsewhere, tmp_path, monkeypatch):
    file = tmp_path / "ours.tar"
    with listening(world, monkeypatch, world.ours.tokens["admin"]):
        left = run_cli("org", "export", world.ours.organisation, str(file))
    assert left.code == ExitCode.OK, left.err
    assert f"Not in it: {world.ours.running_job}" in left.out
    key = left.out.split("Key      ")[1].strip()
    checked = subprocess.run([sys.executable, SCRIPT, file, "--key", key], capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout
    with listening(elsewhere, monkeypatch, elsewhere.operator):
        unasked = run_cli("org", "import", str(file))
        assert unasked.code == ExitCode.USAGE
        assert key in unasked.err
        came = run_cli("org", "import", str(file), "--trust", key)
        assert came.code == ExitCode.OK, came.err
        again = run_cli("org", "import", str(file), "--trust", key)
        assert "nothing was changed" in again.out
        compared = run_cli("org", "verify-import", world.ours.organisation)
    assert compared.code == ExitCode.OK, compared.err
    assert "DIFFERENT" not in compared.out
    assert elsewhere.application.reader.row("jobs", world.ours.ended_job) == world.application.reader.row("jobs", world.ours.ended_job)
    assert elsewhere.application.reader.row("jobs", world.ours.running_job) is None


def test_wrong_files_are_told(elsewhere, tmp_path, monkeypatch):
    text = tmp_path / "text.tar"
    text.write_text("I am no package")
    with listening(elsewhere, monkeypatch, elsewhere.operator):
        assert run_cli("org", "import", str(tmp_path / "absent.tar")).code == ExitCode.NOT_FOUND
        wrong = run_cli("org", "import", str(text))
        assert wrong.code == ExitCode.USAGE
        assert "is no package" in wrong.err
        assert run_cli("org", "export", elsewhere.ours.organisation, str(text)).code == ExitCode.USAGE
        at_home = run_cli("org", "verify-import", elsewhere.ours.organisation)
    assert (at_home.code, "at home here" in at_home.err) == (ExitCode.NOT_FOUND, True)


def test_only_the_operator_takes_organisations_in_and_only_admins_let_them_go(world):
    assert world.call("POST", "/v1/imports", world.ours.tokens["admin"], content=b"x").status_code == 403
    export = f"/v1/organisations/{world.ours.organisation}/exports"
    assert world.call("POST", export, world.ours.tokens["member"]).status_code == 403
    assert world.call("POST", export, world.theirs.tokens["admin"]).status_code == 404
    assert world.call("POST", export, world.ours.tokens["admin"]).status_code == 200
