"""The story that `make demo` plays, without torch, as a newcomer starts it; and that it leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faces.cli_tools import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import demo
from story.checks import Record, StepFailed

STEPS = ("factory up", "customer", "offers", "plan", "training", "results", "bill", "budget", "proof", "store", "factory down")


@pytest.fixture
def story(tmp_path):
    """The demo on its way, ended with the test."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "demo.py", "--no-train"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        yield started
        if started.poll() is None:
            started.terminate()


def folder_of(said):
    """The temporary folder that the demo names in its first line."""
    return Path(re.match(r"Everything happens in (\S+):", said)[1])


def processes_that_name(folder):
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with suppress(OSError):
                found += [place.name] if os.fsencode(folder) in (place / "cmdline").read_bytes() else []
    return found


@pytest.mark.timeout(400)
def test_the_story_holds(story):
    said, _ = story.communicate()
    assert story.returncode == 0, said
    summary = said[said.index("\nSTEP") :]
    assert [step for step in STEPS if f"\n{step} " in summary] == list(STEPS)
    assert re.search(r"\d\d checks in \d+ s\. All held\.", summary)
    assert not folder_of(said).exists()
    assert not processes_that_name(folder_of(said))


@pytest.mark.timeout(400)
def test_interrupted_it_ends_what_it_started(story):
    said = ""
    for line in story.stdout:
        said += line
        if "checkpoint saved" in line:
            story.send_signal(signal.SIGINT)
            break
    said += story.stdout.read()
    assert story.wait() == demo.INTERRUPTED, said
    assert "eisbach cancel job_" in said
    assert not folder_of(said).exists()
    assert not processes_that_name(folder_of(said))


def test_without_torch_it_says_what_to_do(monkeypatch, capsys):
    has = demo.importlib.util.find_spec
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None if name == "torch" else has(name))
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    assert demo.main() == 2
    assert "make demo TRAIN=no" in capsys.readouterr().err


def test_a_failed_check_is_in_the_summary_and_the_story_goes_on(capsys):
    record = Record()
    with record.step("bill"):
        record.check("sums agree", False, "1 and 2")
        raise StepFailed("the bill cannot be read")
    with record.step("store"):
        record.check("tables agree", True)
    assert not record.is_ok
    assert [line.split() for line in record.table().splitlines()[1:]] == [
        ["bill", "sums", "agree", "FAILED", "1", "and", "2"],
        ["the", "step", "was", "played", "to", "its", "end", "FAILED", "the", "bill", "cannot", "be", "read"],
        ["store", "tables", "agree", "ok"],
    ]
