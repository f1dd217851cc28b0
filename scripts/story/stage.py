"""What the steps of the story share: the terminal, the record of checks, the work that is run, and what is known so far."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from story.checks import Record
from story.shell import Shell

ORGANISATION = "Isar Robotics"
PROJECT = "demo"
BUDGET_EUR = "1.00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The job of the story: how its folder is made, and what `run` is given."""

    folder: str
    name: str
    is_template: bool
    steps: int
    save_every: int
    options: Sequence[str]
    results: Sequence[str]


TRAINING = Workload(
    folder="language-model",
    name="train-language-model",
    is_template=True,
    steps=160,
    save_every=40,
    options=("--env", "STEPS=160", "--env", "SAVE_EVERY=40", "--time-limit", "10m"),
    results=("metrics.jsonl", "model.safetensors", "sample.txt", "tokenizer.json"),
)
COUNTING = Workload(
    folder="counting",
    name="counting",
    is_template=False,
    steps=120,
    save_every=40,
    options=("--time-limit", "10m"),
    results=("metrics.jsonl", "sample.txt"),
)


@dataclass(slots=True, kw_only=True)
class FactoryStage:
    """What every story with a factory in it leaves from one step to the next."""

    shell: Shell
    record: Record
    scripts: Path
    project: str = ""
    job: str = ""
    key: str = ""

    @property
    def home(self) -> Path:
        """Return the factory's home."""
        return Path(self.shell.environment["XDG_DATA_HOME"]) / "eisbach"

    @contextmanager
    def acting_with(self, token_file: str) -> Iterator[None]:
        """Run commands with another token than the operator's."""
        self.shell.environment["EISBACH_TOKEN"] = (self.shell.folder / token_file).read_text().strip()
        try:
            yield
        finally:
            self.shell.environment.pop("EISBACH_TOKEN")


@dataclass(slots=True, kw_only=True)
class Stage(FactoryStage):
    """The stage of the language model's story."""

    workload: Workload
    difference_ms_max: int = 100
    """how far the time charged for an attempt and what the observer saw may lie apart"""
    price: int = 0
    """of the job, in micro-euro per hour"""

    def fit_to(self, cpu_milli: int, memory_mib: int) -> None:
        """Have the two workers ask for less where the machine is small."""
        less = [*(("--cpus", "0.5") if cpu_milli < 2000 else ()), *(("--memory", "1") if memory_mib < 4096 else ())]
        if self.workload.is_template:
            self.workload = replace(self.workload, options=(*self.workload.options, *less))

    @property
    def lifetimes(self) -> Path:
        """Return the file in which the observer notes what it sees."""
        return self.shell.folder / "observed.jsonl"
