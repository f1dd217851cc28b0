"""Plays the story of one factory on one machine, with live output: demo.py [--no-train] [--keep]. Run by `make demo`.

Everything happens in a temporary folder, which is removed at the end. Exit code: 0 when every check held, 1 when one
failed, 2 when something is missing, 130 after Ctrl-C. What is played is real: processes, kills, hashes, signatures.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from story import factory, money, proof, training
from story.checks import Record, StepFailed
from story.shell import Shell
from story.stage import COUNTING, TRAINING, Stage

SCRIPTS = Path(__file__).resolve().parent
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Scene:
    """A step of the story; some need the job that an earlier one ran."""

    name: str
    play: Callable[[Stage], None]
    needs_job: bool = False


AS_OPERATOR = (Scene("factory up", factory.start), Scene("customer", factory.make_customer))
AS_CUSTOMER = (
    Scene("offers", factory.show_offers),
    Scene("plan", training.plan),
    Scene("training", training.run),
    Scene("results", training.fetch, needs_job=True),
    Scene("bill", money.compare_bill, needs_job=True),
    Scene("budget", money.exceed_budget),
)
AS_OUTSIDER = (
    Scene("proof", proof.verify, needs_job=True),
    Scene("store", factory.check_store),
    Scene("factory down", factory.stop),
)


def main() -> int:
    """Play the story and return the exit code."""
    parser = argparse.ArgumentParser(description="Plays the story of one factory on one machine.")
    parser.add_argument("--no-train", action="store_true", help="without torch: two workers of plain Python")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder and say where it is")
    arguments = parser.parse_args()
    missing = _missing(trains=not arguments.no_train)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = _temporary_folder()
    shell = Shell(folder, _environment(folder))
    stage = Stage(shell, Record(), SCRIPTS, COUNTING if arguments.no_train else TRAINING)
    try:
        return _play(stage)
    finally:
        if arguments.keep:
            print(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _play(stage: Stage) -> int:
    shell, record = stage.shell, stage.record
    shell.say(f"Everything happens in {shell.folder}: the home of the factory and what its customer keeps.")
    code = INTERRUPTED
    try:
        if all(_played(stage, scene) for scene in AS_OPERATOR):
            with stage.acting_with("member.token"):
                for scene in AS_CUSTOMER:
                    _played(stage, scene)
            for scene in AS_OUTSIDER:
                _played(stage, scene)
        code = 0 if record.is_ok else 1
    except KeyboardInterrupt:
        shell.say("\nInterrupted: what runs is ended, then the factory.")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a factory behind
        try:
            factory.clean_up(stage)
        except StepFailed as error:
            shell.say(f"  Cleaning up failed: {error}")
    if code != INTERRUPTED:
        shell.say(f"\n{record.table()}\n")
        verdict = "All held." if record.is_ok else "Something failed: see above."
        shell.say(f"{len(record.checks)} checks in {shell.elapsed_s():.0f} s. {verdict}")
    return code


def _played(stage: Stage, scene: Scene) -> bool:
    """Play a scene and return whether all its checks held."""
    stage.shell.say(f"\n== {scene.name}")
    with stage.record.step(scene.name):
        if scene.needs_job and not stage.job:
            raise StepFailed("there is no job to look at")
        scene.play(stage)
    return stage.record.is_ok


def _missing(*, trains: bool) -> str:
    """Return what stands in the way, and what to do; nothing where all is there."""
    if sys.platform != "linux":
        return "The demo needs Linux: it looks at processes in /proc."
    if importlib.util.find_spec("eisbach") is None:
        return "Eisbach is not installed for this Python. Run: make demo"
    if trains and importlib.util.find_spec("torch") is None:
        return "The demo trains a small language model and torch is not installed. Run `make demo`, or without torch: make demo TRAIN=no"
    return ""


def _temporary_folder() -> Path:
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


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of all commands: nothing of the user's own settings of Eisbach, and XDG folders of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EISBACH_", "XDG_"))}
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        place = folder / kind.lower()
        place.mkdir()
        kept[f"XDG_{kind}_HOME"] = str(place)
    return {**kept, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
