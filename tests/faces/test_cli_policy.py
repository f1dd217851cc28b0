"""`eisbach policy`, `prove` and the places of backups, on a factory of its own with a site that is only simulated abroad."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import run_cli, run_program

SITES = """
[[site]]
name = "munich"
country = "DE"
operator = "Stadtwerke"
operator_country = "DE"

[[site]]
name = "ashburn"
country = "US"
operator = "Example Inc"
operator_country = "US"
simulated = true

[[node]]
name = "node-1"
site = "munich"
pool = "munich"
flavour = "cpu"
cores = 1
memory_mib = 1024

[[node]]
name = "ash-1"
site = "ashburn"
pool = "ashburn"
flavour = "cpu"
cores = 64
memory_mib = 16384
"""
SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_residency.py"


@pytest.fixture
def factory(tmp_path, monkeypatch):
    """A factory with two sites and a project, started in the background and stopped at the end."""
    for name in ("EISBACH_URL", "EISBACH_TOKEN", "EISBACH_PROJECT", "EISBACH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    home = tmp_path / "data" / "eisbach"
    home.mkdir(parents=True, mode=0o700)
    (home / "site.toml").write_text(SITES)
    (home / "site.toml").chmod(0o600)
    ran = run_program("up", "--detach", "--port", "0", "-o", "json")
    assert ran.code == ExitCode.OK, ran.err
    assert run_cli("org", "create", "acme").code == ExitCode.OK
    assert run_cli("project", "create", "wells", "--budget", "25").code == ExitCode.OK
    yield home
    run_cli("down")


def position_in(text):
    return int(text.split("log at position ")[1].split(".")[0])


def test_the_story_of_a_place(factory, tmp_path):
    """Set a rule, be refused abroad three times with a position each, run at home, and prove it."""
    ran = run_cli("policy", "set", "--org", "acme", "--country", "EU", "--parent", "EU")
    assert "The rule of acme is set (log position" in ran.out
    assert "ashburn stands in US; the organisation acme allows EU (27 countries as of 2020-02-01)" in ran.out
    assert run_cli("policy", "check", "munich").code == ExitCode.OK
    assert run_cli("policy", "check", "ashburn").code == ExitCode.FAILED
    assert run_cli("policy", "check", "atlantis").code == ExitCode.NOT_FOUND
    assert run_cli("policy", "set", "--project", "wells", "--country", "US").code == ExitCode.USAGE  # contradicts acme's

    task = tmp_path / "abroad.yaml"
    task.write_text("run: echo hi\nplacement: {sites: [ashburn]}\n")
    refused = [
        run_cli("run", str(task), "-y"),
        run_cli("backup", str(tmp_path / "backup"), "--site", "ashburn"),
        run_cli("audit", "export", "--out", str(tmp_path / "log"), "--site", "ashburn"),
    ]
    assert [one.code for one in refused] == [ExitCode.REFUSED] * 3
    assert len({position_in(one.err) for one in refused}) == 3
    assert not list(tmp_path.glob("backup")) + list(tmp_path.glob("log"))

    ran = run_cli("run", "-y", "--name", "here", "--time-limit", "1m", "--memory", "0.25", "--", "echo hello")
    assert (ran.code, ran.out) == (0, "hello\n")
    assert "not at   ashburn: ashburn stands in US" in ran.err
    assert run_cli("backup", str(tmp_path / "backup")).code == ExitCode.OK
    assert [(one["use"], one["site"]) for one in run_cli("policy", "targets", "-o", "json").document()["targets"]] == [("backup", "munich")]
    assert run_cli("policy", "violations").out == "No violation was ever found.\n"

    proof = tmp_path / "proof.json"
    assert run_cli("prove", "residency", "here", "--out", str(proof)).code == ExitCode.OK
    checked = run_cli("prove", "check", str(proof), "-o", "json")
    assert checked.code == ExitCode.OK
    (stay,) = checked.document()["residency"]["stays"]
    assert (stay["site"], stay["country"], stay["operator"], stay["simulated"]) == ("munich", "DE", "Stadtwerke", False)
    assert subprocess.run([sys.executable, SCRIPT, proof], check=False, capture_output=True).returncode == 0
    proof.write_text(proof.read_text().replace(json.loads(proof.read_text())["leaves"][3]["data"][:40], "A" * 40))
    assert run_cli("prove", "check", str(proof)).code == ExitCode.FAILED


def test_a_backup_without_a_server_is_decided_on_the_home_itself_and_logged(factory, tmp_path):
    assert run_cli("policy", "set", "--org", "acme", "--country", "DE").code == ExitCode.OK
    assert run_cli("down").code == ExitCode.OK
    refused = run_cli("backup", str(tmp_path / "abroad"), "--site", "ashburn")
    assert refused.code == ExitCode.REFUSED
    made = run_cli("backup", str(tmp_path / "backup"), "--site", "munich", "-o", "json").document()
    assert made["site"] == "munich"
    assert made["position"] == position_in(refused.err) + 1
    assert run_cli("db", "check").code == ExitCode.OK
    assert run_program("up", "--detach", "--port", "0").code == ExitCode.OK
    targets = run_cli("policy", "targets", "-o", "json").document()["targets"]
    assert [(one["site"], one["position"]) for one in targets] == [("munich", made["position"])]


def test_what_is_no_rule_is_said_before_anything_is_sent(factory):
    assert "Name limits" in run_cli("policy", "set", "--org", "acme").err
    assert "exclude each other" in run_cli("policy", "set", "--org", "acme", "--country", "DE", "--remove").err
    assert "exclude each other" in run_cli("policy", "show", "--org", "acme", "--project", "wells").err
    assert "no country of ISO 3166-1" in run_cli("policy", "set", "--org", "acme", "--country", "Bavaria").err
    assert run_cli("policy", "set", "--org", "nobody", "--country", "DE").code == ExitCode.NOT_FOUND
    assert run_cli("policy", "clear", "backup", "munich").code == ExitCode.USAGE
