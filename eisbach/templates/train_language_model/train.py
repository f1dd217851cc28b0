"""Train a small GPT on any folder of text; survive signals, killed workers and a change of the number of workers.

One step is a pure function of (weights, seed, step): which text it reads and any chance it uses follow from the seed and
the step number, never from the number of workers. So a checkpoint needs only weights, optimizer and step, and a run that
was cut after step 40 with two workers goes on at step 41 with one, on the batch it would have seen anyway.
"""
# ruff: noqa: E402 - signal handlers come before the slow imports

import os
import signal
import sys

# First thing in the process: importing torch takes seconds, and an unhandled SIGUSR1 in that time would end it.
SAVE_SIGNAL = "SIG" + os.environ.get("EISBACH_CHECKPOINT_SIGNAL", "SIGUSR1").upper().removeprefix("SIG")
asked = {"save": False, "stop": False}
if __name__ == "__main__":
    signal.signal(signal.Signals[SAVE_SIGNAL], lambda *_: asked.update(save=True))
    signal.signal(signal.SIGTERM, lambda *_: asked.update(stop=True))

import argparse
import json
import math
import shutil
import socket
import time
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if missing := [name for name in ("numpy", "torch", "safetensors") if find_spec(name) is None]:
    sys.exit(f"{sys.executable} has no {', '.join(missing)}. Install them there, or in `setup` of task.yaml; `make demo` of Eisbach does it")

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from model import Gpt, write_sample
from safetensors.torch import save_file
from text import Corpus
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

STOPPED = 128 + signal.SIGTERM  # 143: what a shell reports for a process ended by SIGTERM
CHECKPOINTS_KEPT = 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, help="folder of text; default: the Python standard library's own source")
    add("--max-bytes", type=int, default=4_000_000, help="read at most this much text")
    add("--tokenizer", choices=("bytes", "bpe"), default="bytes")
    add("--vocabulary", type=int, default=512, help="tokens of the bpe tokenizer, 256 bytes included")
    add("--layers", type=int, default=2)
    add("--width", type=int, default=128)
    add("--heads", type=int, default=4)
    add("--context", type=int, default=64, help="tokens the model sees at once")
    add("--batch", type=int, default=48, help="windows of text per step, over all workers together")
    add("--steps", type=int, default=240)
    add("--learning-rate", type=float, default=3e-3)
    add("--save-every", type=int, default=60, help="steps between checkpoints")
    add("--log-every", type=int, default=10)
    add("--seed", type=int, default=1)
    add("--outputs", type=Path, default=Path("outputs"))
    arguments = parser.parse_args()
    if arguments.width % arguments.heads:
        parser.error(f"--width {arguments.width} is not divisible by --heads {arguments.heads}")
    if arguments.tokenizer == "bpe" and arguments.vocabulary < 257:
        parser.error(f"--vocabulary {arguments.vocabulary} leaves no room for a merge; it starts at 257")
    return arguments


# ---- gang ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gang:
    """The workers of this run: this one's rank, how many there are, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls) -> "Gang":
        cuda = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count() if cuda else 0
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        backend, patience = "cpu:gloo,cuda:nccl" if cuda else "gloo", timedelta(minutes=5)
        if os.environ.get("MASTER_ADDR", "").startswith(("127.", "localhost")):  # all on this machine: listen nowhere else
            loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        if "RANK" in os.environ:
            dist.init_process_group(backend, timeout=patience)
        else:  # alone, and no port to agree on
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def say(self, line: str) -> None:
        if self.leads:
            print(line, flush=True)

    def add_up(self, *values: float) -> list[float]:
        """Sums over all workers; every worker gets the same numbers."""
        vector = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(vector)
        return vector.tolist()

    def agree(self, value: Any) -> Any:
        """What worker 0 says."""
        box = [value]
        dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]


# ---- checkpoints ---------------------------------------------------------------------------------------------------


def write_durably(path: Path, content: str) -> None:
    with path.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class Checkpoints:
    """Folders step-NNNNNNNN; a folder gets this name only when all workers have written, so each one is whole."""

    def __init__(self, folder: Path, gang: Gang) -> None:
        self.folder, self.gang = folder, gang
        if gang.leads:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob("step-*.tmp"):
                shutil.rmtree(leftover)
        self.latest: Path | None = gang.agree(max(self._whole(), default=None) if gang.leads else None)

    def _whole(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("step-*") if path.suffix != ".tmp")

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: dict[str, Any]) -> None:
        final = self.folder / f"step-{progress['step']:08d}"
        partial = final.with_suffix(".tmp")
        weights, moments = get_state_dict(model, optimizer)
        dcp.save({"model": weights, "optimizer": moments}, checkpoint_id=partial)
        dist.barrier()
        if self.gang.leads:
            write_durably(partial / "progress.json", json.dumps(progress, indent=1) + "\n")
            partial.rename(final)
            for old in self._whole()[:-CHECKPOINTS_KEPT]:
                shutil.rmtree(old)
        dist.barrier()  # nobody leaves before the name is there
        self.gang.say(f"checkpoint saved step={progress['step']}")

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer, identity: dict[str, Any]) -> dict[str, Any]:
        """The progress saved in the latest checkpoint, with model and optimizer set to it; step 0 without one."""
        if self.latest is None:
            return {"step": 0, "loss": None}
        progress: dict[str, Any] = json.loads((self.latest / "progress.json").read_text())
        changed = [f"{key} {progress['run'].get(key)} -> {new}" for key, new in identity.items() if progress["run"].get(key) != new]
        if changed:
            sys.exit(f"{self.latest} belongs to another run ({', '.join(changed)}); use another checkpoint folder")
        weights, moments = get_state_dict(model, optimizer)
        dcp.load({"model": weights, "optimizer": moments}, checkpoint_id=self.latest)
        set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
        return progress


# ---- training ------------------------------------------------------------------------------------------------------


@dataclass
class Metrics:
    """JSON lines beside the checkpoints, so that they outlive an attempt; what came after the resumed step is dropped."""

    path: Path
    fields: dict[str, Any]
    started: float = field(default_factory=time.monotonic)

    def rewind(self, step: int) -> None:
        kept = []
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except json.JSONDecodeError:
                break  # the line that was being written when the worker died; it is the last one
        rewritten = self.path.with_suffix(".tmp")
        rewritten.write_text("".join(kept))
        rewritten.replace(self.path)

    def add(self, **figures: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(figures | {"seconds": round(time.monotonic() - self.started, 3)} | self.fields) + "\n")


def starts_of(step: int, seed: int, batch: int, places: int) -> np.ndarray:
    """Where the windows of this step begin: one at random in each of `batch` equal stretches of the text.

    Drawing from all over the text in each step keeps the loss of one step close to that of the next.
    """
    chance = np.random.default_rng([seed, step])
    return ((np.arange(batch) + chance.random(batch)) * places / batch).astype(np.int64)


def rate_at(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over the first steps, then a half cosine down to a tenth of the peak."""
    warm = min(20, max(1, steps // 10))
    done = min(1.0, max(0, step - warm) / max(1, steps - warm))
    return peak * min(step / warm, 0.55 + 0.45 * math.cos(math.pi * done))


@dataclass
class Trainer:
    """One worker's model, text and optimizer."""

    arguments: argparse.Namespace
    gang: Gang
    corpus: Corpus
    model: DistributedDataParallel
    optimizer: torch.optim.Optimizer

    def take_step(self, step: int) -> float:
        """Trains on the windows of this step that are this worker's; returns its part of the mean loss over all."""
        wanted = self.arguments
        torch.manual_seed(wanted.seed * 1_000_003 + step)  # for chance inside a model, say a dropout you add
        self.optimizer.param_groups[0]["lr"] = rate_at(step, wanted.steps, wanted.learning_rate)
        part = self._share_of_loss(self.model, self.corpus.training, wanted.batch, step)
        self.optimizer.zero_grad()
        (part * self.gang.size).backward()  # DDP averages over the workers; the parts have to be added
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return part.item()

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss over the same 64 windows of the validation text each time."""
        return self.gang.add_up(self._share_of_loss(self.model.module, self.corpus.validation, 64, 0).item())[0]

    def _share_of_loss(self, model: nn.Module, ids: np.ndarray, batch: int, step: int) -> Tensor:
        """This worker's part of the mean loss over a batch; the parts of all workers add up to it."""
        context = self.arguments.context
        starts = starts_of(step, self.arguments.seed, batch, len(ids) - context)
        windows = ids[starts[self.gang.rank :: self.gang.size, None] + np.arange(context + 1)]
        rows = torch.from_numpy(windows.astype(np.int64)).to(self.gang.device)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.gang.device.type == "cuda"):
            logits = model(rows[:, :-1])
        total = F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten(), reduction="sum")
        return total / (batch * context)


def prepare(arguments: argparse.Namespace, gang: Gang) -> tuple[Trainer, dict[str, Any]]:
    """The trainer at step 0, and what makes this run another one than the next: a checkpoint fits only the same."""
    if arguments.batch < gang.size:
        sys.exit(f"--batch {arguments.batch} leaves some of the {gang.size} workers without a window")
    vocabulary = arguments.vocabulary if arguments.tokenizer == "bpe" else 256
    corpus = Corpus.read(arguments.data, arguments.max_bytes, vocabulary)
    if min(len(corpus.training), len(corpus.validation)) <= arguments.context:
        sys.exit(f"{corpus.size} bytes of text are too few for windows of {arguments.context} tokens")
    shape = {key: getattr(arguments, key) for key in ("layers", "width", "heads", "context")}
    shape["vocabulary"] = corpus.tokenizer.size
    torch.manual_seed(arguments.seed)
    model = DistributedDataParallel(Gpt(**shape).to(gang.device))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.1)
    run = shape | {"batch": arguments.batch, "seed": arguments.seed, "text": corpus.digest}
    return Trainer(arguments, gang, corpus, model, optimizer), run


def train(trainer: Trainer, run: dict[str, Any], checkpoints: Checkpoints, metrics: Metrics) -> tuple[int, bool]:
    """Goes on from the latest checkpoint; returns the last step done and whether it was asked to stop there."""
    arguments, gang = trainer.arguments, trainer.gang
    progress = checkpoints.load(trainer.model, trainer.optimizer, run)
    step, loss, stop = progress["step"], progress["loss"], False
    if gang.leads:
        metrics.rewind(step)
    if step:
        gang.say(f"resumed step={step} loss={loss:.5f}")
    while step < arguments.steps and not stop:
        step += 1
        part = trainer.take_step(step)
        # One exchange per step: the loss, and whether any worker was asked to save or to stop. All act on the same sums.
        save_here, asked["save"] = asked["save"], False
        batch_loss, saves_asked, stops_asked = gang.add_up(part, save_here, asked["stop"])
        stop = stops_asked > 0
        loss = batch_loss if loss is None else loss + (batch_loss - loss) * max(0.1, 1 / step)
        figures: dict[str, Any] = {"step": step, "loss": round(loss, 5), "batch_loss": round(batch_loss, 5)}
        figures["tokens"] = step * arguments.batch * arguments.context
        due = step % arguments.save_every == 0 or step == arguments.steps
        if due:
            figures["validation_loss"] = round(trainer.validation_loss(), 5)
        if gang.leads:
            metrics.add(**figures)
        if due or step % arguments.log_every == 0 or step == progress["step"] + 1:
            gang.say(" ".join(f"{key}={value}" for key, value in figures.items()))
        if due or saves_asked or stop:
            checkpoints.save(trainer.model, trainer.optimizer, {"step": step, "loss": loss, "run": run})
    return step, stop


def write_results(trainer: Trainer, run: dict[str, Any]) -> None:
    model, tokenizer, outputs = trainer.model.module, trainer.corpus.tokenizer, trainer.arguments.outputs
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, outputs / "model.safetensors", metadata={key: str(value) for key, value in run.items()})
    (outputs / "tokenizer.json").write_text(json.dumps({"bytes": 256, "merges": tokenizer.merges}) + "\n")
    sample = write_sample(model, tokenizer, trainer.gang.device, run["seed"])
    (outputs / "sample.txt").write_text(sample + "\n", encoding="utf-8")


def main() -> int:
    arguments = parse_arguments()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    gang = Gang.join()
    trainer, run = prepare(arguments, gang)
    gang.say(
        f"training parameters={sum(parameter.numel() for parameter in trainer.model.parameters())} "
        f"text_bytes={trainer.corpus.size} vocabulary={trainer.corpus.tokenizer.size} steps={arguments.steps} "
        f"world_size={gang.size} device={gang.device}"
    )
    checkpoints = Checkpoints(Path(os.environ.get("EISBACH_CHECKPOINT_DIR") or "checkpoints"), gang)
    lasting = {"attempt_id": os.environ.get("EISBACH_ATTEMPT_ID"), "world_size": gang.size}
    metrics = Metrics(checkpoints.folder / "metrics.jsonl", lasting)
    step, stopped = train(trainer, run, checkpoints, metrics)
    if gang.leads:
        arguments.outputs.mkdir(parents=True, exist_ok=True)
        if not stopped:
            write_results(trainer, run)
        shutil.copyfile(metrics.path, arguments.outputs / "metrics.jsonl")
    gang.say(f"stopped step={step}" if stopped else f"finished step={step} outputs={arguments.outputs}")
    dist.barrier()  # the others wait for the results, so that no engine takes the gang for done
    dist.destroy_process_group()
    return STOPPED if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
