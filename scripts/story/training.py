"""The work of the story: planned, run by two workers, hit by a kill -9, resumed, and brought home."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from story import process_table
from story.checks import StepFailed
from story.stage import Stage

RUN_TIMEOUT_S = 400.0
LOSS_DIFFERENCE_MAX = 0.05
SUM_DIFFERENCE_MAX = 1e-6
SAMPLE_LINES = 8
STEPS_AFTER_CHECKPOINT = 5
"""So many steps are lost at least: the next attempt has to do them again."""
_STEP = re.compile(r"step=(\d+) loss=([\d.]+)")
_SAVED = re.compile(r"checkpoint saved step=(\d+)")
_ATTEMPT = re.compile(r"--- attempt (\d+) ---")
_JOB = re.compile(r"\((job_\w+)\)")


def plan(stage: Stage) -> None:
    """Make the folder of the job and look at its price before anything starts."""
    shell, work = stage.shell, stage.workload
    if work.is_template:
        shell.eisbach("init", work.name, work.folder)
    else:
        shell.show_command(f"cp -r scripts/story/counting {work.folder}")
        shutil.copytree(stage.scripts / "story" / "counting", shell.folder / work.folder)
    task = f"{work.folder}/task.yaml"
    shell.eisbach("run", task, *work.options, "--dry-run")
    answer = shell.ask("run", task, *work.options, "--dry-run")
    stage.price, ceiling = answer["price_per_hour_micro_eur"], answer["ceiling_micro_eur"]
    longest_ms = answer["limit_ms"] + answer["grace_ms"]
    expected = -(-stage.price * longest_ms // 3_600_000)
    seen = f"{answer['price_per_hour_eur']} EUR/h, at most {answer['ceiling_eur']} EUR"
    stage.record.check("the ceiling is price x (limit + grace)", ceiling == expected, seen)
    is_empty = "No jobs" in shell.eisbach("ps").output
    stage.record.check("looking at a plan starts nothing", is_empty, "no jobs" if is_empty else "")


@dataclass(slots=True)
class Watcher:
    """Reads the job's log as it comes, and kills a worker after the first checkpoint: chaos, not the factory's API."""

    stage: Stage
    job: str = ""
    attempt: int = 1
    saved: int = 0
    killed_after: int = 0
    victim: process_table.TaskProcess | None = None
    left_of_first: int = -1
    losses: dict[int, dict[int, float]] = field(default_factory=lambda: {1: {}})

    def on_line(self, line: str) -> None:
        """Take in one line of `eisbach run`; those of worker 0 begin with its rank."""
        line = line.removeprefix("(0) ")
        if not self.job and (found := _JOB.search(line)):
            self.job = found[1]
        if found := _ATTEMPT.match(line):
            self.attempt = int(found[1])
            self.losses[self.attempt] = {}
            if self.attempt == 2 and self.victim is not None:
                self._count_left(self.victim.attempt)
        if found := _STEP.match(line):
            step = int(found[1])
            self.losses[self.attempt][step] = float(found[2])
            if self.saved and step >= self.saved + STEPS_AFTER_CHECKPOINT and self.victim is None:
                self._kill(step)
        if (found := _SAVED.match(line)) and not self.saved:
            self.saved = int(found[1])

    def _kill(self, step: int) -> None:
        victim = process_table.worker(self.stage.project, rank="1")
        if victim is None:
            raise StepFailed("worker 1 was not found in /proc")
        self.stage.shell.show_command(f"kill -9 {victim.pid}    # worker 1, found in /proc by its environment")
        os.kill(victim.pid, signal.SIGKILL)
        self.stage.shell.say("  Worker 0 now misses its partner and may say so at length; the factory ends the gang and begins anew.")
        self.victim, self.killed_after = victim, step

    def _count_left(self, attempt: str) -> None:
        left = [one for one in process_table.of_project(self.stage.project) if one.attempt == attempt]
        self.left_of_first = len(left)


def run(stage: Stage) -> None:
    """Run the job to its end, with a worker killed on the way."""
    watcher = Watcher(stage)
    task = f"{stage.workload.folder}/task.yaml"
    with observed(stage):
        done = stage.shell.eisbach(
            "run", task, *stage.workload.options, "--yes", codes=range(256), timeout_s=RUN_TIMEOUT_S, on_line=watcher.on_line
        )
    check, require = stage.record.check, stage.record.require
    stage.job = watcher.job
    require("a worker was killed after the first checkpoint", watcher.victim is not None, f"kill -9 after step {watcher.killed_after}")
    check("the gang stopped as a whole", watcher.left_of_first == 0, f"{watcher.left_of_first} processes of attempt 1 left")
    require("a second attempt ran to the end", (done.code, watcher.attempt) == (0, 2), f"{watcher.attempt} attempts")
    before, after = watcher.losses[1], watcher.losses[2]
    first = min(after, default=0)
    check("steps go on at the checkpoint + 1", first == watcher.saved + 1, f"killed after {watcher.killed_after}, saved at {watcher.saved}, went on at {first}")
    if watcher.saved in before and first in after:
        old, new = before[watcher.saved], after[first]
        seen = f"{old:.4f}, then {new:.4f}"
        check("the first loss is within 5 % of the last saved", abs(new - old) <= LOSS_DIFFERENCE_MAX * old, seen)


@contextmanager
def observed(stage: Stage) -> Iterator[None]:
    """Have the observer, a process outside the factory, note when processes of the job start and end."""
    command = [sys.executable, "-m", "story.observer", stage.project, str(stage.lifetimes)]
    shell = stage.shell
    shell.show_command("python -m story.observer PROJECT observed.jsonl &    # outside the factory")
    environment = {**shell.environment, "PYTHONPATH": str(stage.scripts)}
    with subprocess.Popen(
        command, cwd=shell.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as observer:
        assert observer.stdin is not None
        assert observer.stdout is not None
        try:
            if observer.stdout.readline() != b"ready\n":
                raise StepFailed("the observer did not start")
            yield
        finally:
            observer.stdin.close()
            try:
                observer.wait(10)
            except subprocess.TimeoutExpired:
                observer.kill()


def fetch(stage: Stage) -> None:
    """Download what the job left, and check every file against the hash that the factory states."""
    shell, check = stage.shell, stage.record.check
    shell.eisbach("artifacts", "list", stage.job)
    answer = shell.ask("artifacts", "get", stage.job, "--into", "results")
    listed = {one["path"]: one["sha256"] for one in answer["artifacts"]}
    folder = shell.folder / "results"
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    wanted = {f"outputs/{name}" for name in stage.workload.results}
    check("all results are here, with the hashes stated", hashes == listed and wanted <= hashes.keys(), f"{len(hashes)} files")
    lines = [json.loads(line) for line in found["outputs/metrics.jsonl"].read_text().splitlines()]
    steps = [one["step"] for one in lines]
    once = steps == list(range(1, stage.workload.steps + 1))
    check("every step is in the metrics once", once, f"{len(steps)} lines")
    if not stage.workload.is_template:
        error, expected = lines[-1]["loss"], 1 / stage.workload.steps
        check("the sum is that of a run without a kill", abs(error - expected) < SUM_DIFFERENCE_MAX, f"error {error:.6f}")
    model = found.get("outputs/model.safetensors")
    if model is not None:
        data = model.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        tensors = {name: one for name, one in header.items() if name != "__metadata__"}
        count = sum(_product(one["shape"]) for one in tensors.values())
        check("the model can be read", count > 0, f"{count:,} parameters in {len(tensors)} tensors")
    shell.show_command(f"head -{SAMPLE_LINES} results/outputs/sample.txt")
    for line in found["outputs/sample.txt"].read_text(encoding="utf-8").splitlines()[:SAMPLE_LINES]:
        shell.say(f"    | {line}")


def _product(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
