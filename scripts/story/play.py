"""How a story is played: its scenes one after another, in a folder and an environment of its own, each check recorded."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, Protocol, TypeVar

from story.checks import Record, StepFailed
from story.shell import Shell

INTERRUPTED = 130


class HasRecord(Protocol):
    """What every stage of a story has: a terminal and a record of checks."""

    shell: Shell
    record: Record


StageT = TypeVar("StageT", bound=HasRecord)


@dataclass(frozen=True, slots=True)
class Scene(Generic[StageT]):
    """A step of the story; one that needs another's result says what is missing (an empty text: nothing)."""

    name: str
    play: Callable[[StageT], None]
    missing: Callable[[StageT], str] = lambda stage: ""


def played(stage: StageT, scenes: Iterable[Scene[StageT]]) -> bool:
    """Play scenes in order, each whatever became of the one before; return whether all checks held so far."""
    for scene in scenes:
        stage.shell.say(f"\n== {scene.name}")
        with stage.record.step(scene.name):
            if missing := scene.missing(stage):
                raise StepFailed(missing)
            scene.play(stage)
    return stage.record.is_ok


def verdict(stage: HasRecord) -> str:
    """Return the table of all checks and the closing line."""
    record = stage.record
    words = "All held." if record.is_ok else "Something failed: see above."
    return f"\n{record.table()}\n\n{len(record.checks)} checks in {stage.shell.elapsed_s():.0f} s. {words}"


def prepare_process() -> None:
    """Have output never fail on a character, and SIGTERM and SIGHUP end a story like Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def temporary_folder() -> Path:
    """Make the folder of the story; as root, where the users of jobs can pass through it."""
    is_root = os.geteuid() == 0
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    parent = next((path for path in candidates if not is_root or _is_open(path)), candidates[0])
    folder = Path(tempfile.mkdtemp(prefix="eisbach-demo-", dir=parent))
    if is_root:
        folder.chmod(0o711)
    return folder


def _is_open(path: Path) -> bool:
    return path.is_dir() and all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment of all commands: nothing of the user's own settings of Eisbach, and XDG folders of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EISBACH_", "XDG_"))}
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        place = folder / kind.lower()
        place.mkdir()
        kept[f"XDG_{kind}_HOME"] = str(place)
    return {**kept, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
