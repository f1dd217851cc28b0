"""The training template, run the way a user or an engine runs it: as processes, with signals and kills."""

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import yaml

TEMPLATE = Path(str(files("eisbach") / "templates" / "train_language_model"))
TINY = ["--layers=1", "--width=32", "--heads=2", "--context=32", "--batch=16", "--log-every=1"]
ENDLESS = ["--steps=1000000"]  # the test ends it


def require_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed; pip install 'eisbach[train]' to run the training template")
    pytest.importorskip("safetensors", reason="safetensors is not installed; pip install 'eisbach[train]'")


def test_a_python_without_torch_is_told_in_one_line(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-S", "-E", TEMPLATE / "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "has no numpy, torch, safetensors. Install them" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


class Worker:
    """One process of train.py; its output is collected in a file, which is polled."""

    def __init__(self, folder: Path, arguments: list[str], environment: dict[str, str], name: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, str(TEMPLATE / "train.py"), *arguments],
                cwd=folder,
                env=environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := re.search(pattern, self.text, re.MULTILINE):
                return found
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {pattern!r}:\n{self.text}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} within {seconds} s:\n{self.text}")

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(timeout=seconds)

    def batch_losses(self) -> dict[int, float]:
        found = re.findall(r"^step=(\d+) .*?batch_loss=([\d.]+)", self.text, re.MULTILINE)
        return {int(step): float(loss) for step, loss in found}


class Gang:
    """Starts workers in one folder and ends whatever a test leaves running."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers = folder, list[Worker]()
        data = folder / "data"
        data.mkdir()
        for module in ("argparse", "ast", "difflib"):
            spec = importlib.util.find_spec(module)
            assert spec is not None
            assert spec.origin is not None
            (data / f"{module}.txt").write_bytes(Path(spec.origin).read_bytes())

    def start(self, *arguments: str, size: int = 1, attempt: str = "att_1") -> list[Worker]:
        plain = {
            key: value
            for key, value in os.environ.items()
            if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK") and not key.startswith("EISBACH_")
        }
        base = plain | {
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # the template's folder is what users get a copy of
            "CUDA_VISIBLE_DEVICES": "",
            "EISBACH_ATTEMPT_ID": attempt,
            "EISBACH_CHECKPOINT_DIR": str(self.folder / "saved"),
        }
        if size > 1:
            base |= {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        started = []
        for rank in range(size):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if size > 1 else {}
            command = ["--data", str(self.folder / "data"), *TINY, *arguments]
            started.append(Worker(self.folder, command, base | place, f"{attempt}-{rank}"))
        self.workers += started
        return started

    def saved(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "saved").glob("step-*"))

    def metrics(self, folder: str = "outputs") -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / folder / "metrics.jsonl").read_text().splitlines()]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[Gang]:
    require_torch()
    gang = Gang(tmp_path)
    yield gang
    for worker in gang.workers:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
def text_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("numpy", reason="numpy is not installed; pip install 'eisbach[train]'")
    spec = importlib.util.spec_from_file_location("template_text", TEMPLATE / "text.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, "template_text", module)
    spec.loader.exec_module(module)
    return module


def test_one_worker_learns_and_writes_its_outputs(gang: Gang) -> None:
    (worker,) = gang.start("--steps=40", "--save-every=15", "--tokenizer=bpe", "--vocabulary=300")
    assert worker.wait() == 0, worker.text
    written = sorted(path.name for path in (gang.folder / "outputs").iterdir())
    assert written == ["metrics.jsonl", "model.safetensors", "sample.txt", "tokenizer.json"]
    assert gang.saved() == ["step-00000030", "step-00000040"], "the last two are kept"

    from safetensors import safe_open

    with safe_open(gang.folder / "outputs" / "model.safetensors", framework="numpy") as model:
        assert model.get_slice("tokens.weight").get_shape() == [300, 32]
        assert model.metadata()["layers"] == "1"
    metrics = gang.metrics()
    assert [line["step"] for line in metrics] == list(range(1, 41))
    assert {(line["attempt_id"], line["world_size"]) for line in metrics} == {("att_1", 1)}
    assert metrics[-1]["tokens"] == 40 * 16 * 32
    assert metrics[-1]["batch_loss"] < metrics[0]["batch_loss"] - 1  # type: ignore[operator]
    assert (gang.folder / "outputs" / "sample.txt").read_text(encoding="utf-8").startswith("def ")


def test_a_killed_worker_is_survived_with_another_world_size(gang: Gang) -> None:
    first, second = gang.start(*ENDLESS, "--save-every=20", size=2)
    first.wait_for(r"^step=46 ")
    second.process.send_signal(signal.SIGKILL)
    assert first.wait() not in (0, 143), "the rest of the gang must not go on alone, nor claim to have ended well"
    newest = int(gang.saved()[-1].removeprefix("step-"))
    before = next(line for line in gang.metrics("saved") if line["step"] == newest)

    # What a kill in the middle of writing leaves: half a checkpoint and half a line.
    half = gang.folder / "saved" / "step-00009999.tmp"
    half.mkdir()
    (half / "__0_0.distcp").write_bytes(b"half")
    with (gang.folder / "saved" / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 99')

    (alone,) = gang.start(*ENDLESS, "--save-every=1000", attempt="att_2")
    assert int(alone.wait_for(r"^resumed step=(\d+) ")[1]) == newest
    alone.wait_for(rf"^step={newest + 8} ")
    alone.process.terminate()
    assert alone.wait() == 143
    assert not half.exists()

    lines = gang.metrics()
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1)), "no step is missing or told twice"
    after = lines[newest]
    assert (after["step"], after["attempt_id"], after["world_size"]) == (newest + 1, "att_2", 1)
    assert after["loss"] == pytest.approx(before["loss"], rel=0.05)
    done_twice = first.batch_losses().keys() & alone.batch_losses().keys()
    assert done_twice, "the killed attempt had gone beyond its checkpoint"
    for step in done_twice:
        assert alone.batch_losses()[step] == pytest.approx(first.batch_losses()[step], rel=1e-3), "same step, same loss"


def test_signals_to_one_worker_are_followed_by_all(gang: Gang) -> None:
    first, second = gang.start(*ENDLESS, "--save-every=1000000", size=2)
    first.wait_for(r"^step=5 ")
    second.process.send_signal(signal.SIGUSR1)
    saved = int(first.wait_for(r"^checkpoint saved step=(\d+)$")[1])
    assert gang.saved() == [f"step-{saved:08d}"]
    first.wait_for(rf"^step={saved + 3} ")  # it goes on
    first.process.terminate()
    assert (first.wait(), second.wait()) == (143, 143)
    stopped = int(first.wait_for(r"^stopped step=(\d+)$")[1])
    assert gang.saved() == [f"step-{saved:08d}", f"step-{stopped:08d}"]


def test_the_checkpoint_of_another_model_is_refused(gang: Gang) -> None:
    (worker,) = gang.start("--steps=1")
    assert worker.wait() == 0, worker.text
    (worker,) = gang.start("--steps=2", "--layers=2", attempt="att_2")
    assert worker.wait() == 1
    assert "belongs to another run (layers 1 -> 2)" in worker.text


def test_byte_pairs_are_merged_and_read_back(text_module: ModuleType) -> None:
    text = b"aaaaa banana bandana \xc3\xa4\xff" * 20
    tokenizer = text_module.Tokenizer.learn(text, 270)
    ids = tokenizer.encode(text)
    assert tokenizer.size == 270
    assert len(ids) < len(text) / 4
    assert tokenizer.decode(ids.tolist()) == text.decode("utf-8", errors="replace")


def test_every_twentieth_block_is_kept_for_validation(text_module: ModuleType) -> None:
    text = bytes(range(200)) * 10
    training, validation = text_module.split_text(text)
    assert len(training) + len(validation) == len(text)
    assert validation == text[1000:1100]


def test_merging_ends_when_no_pair_comes_twice(text_module: ModuleType) -> None:
    assert text_module.Tokenizer.learn(b"abcabc", 300).merges == ((97, 98), (256, 99))


def test_the_task_hands_each_of_its_variables_to_the_program() -> None:
    task = yaml.safe_load((TEMPLATE / "task.yaml").read_text())
    for name in task["envs"]:
        assert f'--{name.lower().replace("_", "-")} "${name}"' in task["run"]
    assert task["run"].startswith("exec "), "the shell must not stand between a signal and the program"
