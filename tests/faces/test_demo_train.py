"""The story that `make demo-train` plays, without torch, as a newcomer starts it; and that it leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faces.cli_tools import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import demo_train as demo
from story.checks import Record, StepFailed

STEPS = ("factory up", "customer", "offers", "plan", "training", "results", "bill", "budget", "proof", "store", "factory down")


@pytest.fixture
def story(tmp_path):
    """The demo on its way, ended with the test.

    The observer and the agent wait for a core among the other tests: what both measure lies further apart than on a
    quiet machine, yet an attempt that is charged twice, or from its submission on, still differs by more than this.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "demo_train.py", "--no-train", "--difference-ms", "2000"],
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


def test_a_worker_of_the_count_may_be_ahead_of_the_other(tmp_path):
    """What it had sent for several steps was added to one, and the end was then waited for in vain."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    environment = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": address[0], "MASTER_PORT": str(address[1])}
    environment |= {"STEPS": "3", "SAVE_EVERY": "3", "EISBACH_ATTEMPT_ID": "att_1"}
    environment |= {"EISBACH_CHECKPOINT_DIR": str(tmp_path), "EISBACH_CHECKPOINT_SIGNAL": "SIGUSR1"}
    shares = [-sum(1 / (2 * n + 1) for n in range(1000 * step + 1, 1000 * step + 1000, 2)) for step in range(3)]
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "story" / "counting" / "count.py"], cwd=tmp_path, env=environment
    ) as counting:
        with connected(address) as worker:
            worker.sendall("".join(f"{share!r}\n" for share in shares).encode())
        assert counting.wait(30) == 0
    last = json.loads((tmp_path / "outputs" / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["loss"]) == (3, pytest.approx(1 / 3, abs=1e-6))


def connected(address):
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.mark.timeout(400)
@pytest.mark.prove
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
    monkeypatch.setattr(sys, "argv", ["demo_train.py"])
    assert demo.main() == 2
    assert "make demo-train TRAIN=no" in capsys.readouterr().err


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
