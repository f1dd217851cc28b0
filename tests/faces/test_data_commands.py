"""`eisbach data` against a real API: sent, shown, fetched, checked, deleted with a certificate; and what goes wrong."""

import hashlib
import json
import os
import random
import subprocess
import sys

import pytest

from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import ROOT, listening, run_cli

CONTENT = random.Random(9).randbytes(350_000)


@pytest.fixture
def member(world, monkeypatch):
    """A factory that listens; the command line is a member's of our project."""
    with listening(world, monkeypatch, world.ours.tokens["member"]):
        monkeypatch.setenv("EISBACH_PROJECT", world.ours.project)
        yield world


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flow.csv"
    path.write_bytes(CONTENT)
    return path


def put(file, *options):
    ran = run_cli("data", "put", str(file), "-o", "json", *options)
    assert ran.code == ExitCode.OK, ran.err
    return ran.document()


def test_a_file_is_sent_shown_and_fetched_again(member, file, tmp_path):
    kept = put(file, "--licence", "CC0-1.0", "--keep-days", "9")
    assert kept["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    listed = run_cli("data", "list")
    assert "flow.csv" in listed.out
    assert kept["sha256"][:12] in listed.out
    shown = run_cli("data", "show", "flow.csv").out
    for part in (kept["sha256"], kept["manifest"], "CC0-1.0", "here, DE, Nobody GmbH", "customer"):
        assert part in shown
    target = tmp_path / "again" / "flow.csv"
    got = run_cli("data", "get", "flow.csv", "--into", str(target))
    assert (got.code, target.read_bytes()) == (ExitCode.OK, CONTENT)
    assert run_cli("data", "get", "flow.csv", "--into", str(target)).code == ExitCode.USAGE
    assert run_cli("data", "verify", "flow.csv").code == ExitCode.OK


def test_the_same_command_goes_on_where_it_was_broken_off(member, file):
    first = run_cli("data", "put", str(file), "--name", "other.csv", "-o", "json").document()
    begun = member.made(
        "POST", f"/v1/projects/{member.ours.project}/uploads", member.ours.tokens["member"],
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(CONTENT)), "Upload-Metadata": "filename Zmxvdy5jc3Y="},
    )  # fmt: skip
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    member.call("PATCH", begun["location"], member.ours.tokens["member"], content=CONTENT[:123_456], headers=piece)
    ran = run_cli("data", "put", str(file), "-o", "json")
    assert ran.document()["data_set"] == begun["data_set"] != first["data_set"]
    assert "Going on" in ran.err
    assert ran.document()["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_changed_between_two_halves_is_noticed(member, file):
    begun = member.made(
        "POST", f"/v1/projects/{member.ours.project}/uploads", member.ours.tokens["member"],
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(CONTENT)), "Upload-Metadata": "filename Zmxvdy5jc3Y="},
    )  # fmt: skip
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    member.call("PATCH", begun["location"], member.ours.tokens["member"], content=bytes(1000), headers=piece)
    ran = run_cli("data", "put", str(file))
    assert ran.code == ExitCode.FAILED
    assert "the hashes differ" in ran.err


@pytest.mark.parametrize("what", ["absent", "empty", "folder"])
def test_what_cannot_be_sent(member, tmp_path, what):
    path = tmp_path / what
    if what == "empty":
        path.write_bytes(b"")
    elif what == "folder":
        path.mkdir()
    assert run_cli("data", "put", str(path)).code == ExitCode.USAGE


def test_more_than_the_quota_is_refused_with_its_numbers(member, tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(3_500_000))
    ran = run_cli("data", "put", str(path))
    assert ran.code == ExitCode.REFUSED
    assert "3500000" in ran.err


def test_a_deletion_is_certified_and_anybody_can_check_it(member, file, tmp_path):
    kept = put(file)
    assert run_cli("data", "certificate", kept["data_set"]).code == ExitCode.NOT_FOUND
    assert run_cli("data", "delete", "flow.csv").code == ExitCode.REFUSED, "nobody could be asked"
    assert run_cli("data", "delete", "flow.csv", "-y").code == ExitCode.OK
    out = tmp_path / "certificate.json"
    written = run_cli("data", "certificate", kept["data_set"], "--out", str(out))
    for part in (kept["data_set"], kept["sha256"], kept["manifest"], "place: here in DE: 4 chunks", "remains in backups"):
        assert part in written.out
    checked = run_cli("data", "check", str(out), "-o", "json")
    assert (checked.code, checked.document()["is_verified"]) == (ExitCode.OK, True)
    script = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "verify_bundle.py"), str(out)], capture_output=True, text=True, timeout=60, env={**os.environ}
    )
    assert (script.returncode, "VERIFIED" in script.stdout) == (0, True)


@pytest.mark.parametrize("harm", ["text", "signature", "leaf", "left out", "no file", "other key"])
def test_a_certificate_that_was_tampered_with_is_found(member, file, tmp_path, harm):
    kept = put(file)
    run_cli("data", "delete", "flow.csv", "-y")
    out = tmp_path / "certificate.json"
    run_cli("data", "certificate", kept["data_set"], "--out", str(out))
    made = json.loads(out.read_text())
    if harm == "text":
        made["certificate"] = made["certificate"].replace("in DE", "in US")
    elif harm == "signature":
        made["certificate"] = made["certificate"][:-10] + "AAAAAAAA=\n"
    elif harm == "leaf":
        made["leaves"][-1]["data"] = made["leaves"][-2]["data"]
    elif harm == "left out":
        made["leaves"].pop(0)
    elif harm == "no file":
        made = {"format": "something"}
    out.write_text(json.dumps(made))
    key = ["--key", "a+00000000+AAAA"] if harm == "other key" else []
    assert run_cli("data", "check", str(out), *key).code == ExitCode.FAILED
