"""Plays the story of a language model that is trained, with live output: demo_train.py [--no-train] [--keep] [--difference-ms N].

Run by `make demo-train`. Everything happens in a temporary folder, which is removed at the end. Exit code: 0 when every
check held, 1 when one failed, 2 when something is missing, 130 after Ctrl-C. What is played is real: processes, kills,
hashes, signatures.
"""

import argparse
import importlib.util
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from story import factory, money, proof, training
from story.checks import Record, StepFailed
from story.play import INTERRUPTED, Scene, environment_of, played, prepare_process, temporary_folder, verdict
from story.shell import Shell
from story.stage import COUNTING, TRAINING, Stage

SCRIPTS = Path(__file__).resolve().parent


def _without_job(stage: Stage) -> str:
    return "" if stage.job else "there is no job to look at"


AS_OPERATOR: Sequence[Scene[Stage]] = (Scene("factory up", factory.start), Scene("customer", factory.make_customer))
AS_CUSTOMER: Sequence[Scene[Stage]] = (
    Scene("offers", factory.show_offers),
    Scene("plan", training.plan),
    Scene("training", training.run),
    Scene("results", training.fetch, _without_job),
    Scene("bill", money.compare_bill, _without_job),
    Scene("budget", money.exceed_budget),
)
AS_OUTSIDER: Sequence[Scene[Stage]] = (
    Scene("proof", proof.verify, _without_job),
    Scene("store", factory.check_store),
    Scene("factory down", factory.stop),
)


def main() -> int:
    """Play the story and return the exit code."""
    parser = argparse.ArgumentParser(description="Plays the story of a language model that is trained, killed and resumed.")
    parser.add_argument("--no-train", action="store_true", help="without torch: two workers of plain Python")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder and say where it is")
    parser.add_argument(
        "--difference-ms", type=int, default=100, metavar="N",
        help="how far charge and observation of an attempt may lie apart; more where the machine is busy with other things (default 100)",
    )
    arguments = parser.parse_args()
    missing = _missing(trains=not arguments.no_train)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    prepare_process()
    folder = temporary_folder()
    shell = Shell(folder, environment_of(folder))
    workload = COUNTING if arguments.no_train else TRAINING
    stage = Stage(shell=shell, record=Record(), scripts=SCRIPTS, workload=workload, difference_ms_max=arguments.difference_ms)
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
        if all(played(stage, [scene]) for scene in AS_OPERATOR):
            with stage.acting_with("member.token"):
                played(stage, AS_CUSTOMER)
            played(stage, AS_OUTSIDER)
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
        shell.say(verdict(stage))
    return code


def _missing(*, trains: bool) -> str:
    """Return what stands in the way, and what to do; nothing where all is there."""
    if sys.platform != "linux":
        return "The demo needs Linux: it looks at processes in /proc."
    if importlib.util.find_spec("eisbach") is None:
        return "Eisbach is not installed for this Python. Run: make demo-train"
    if trains and importlib.util.find_spec("torch") is None:
        return (
            "The story trains a small language model and torch is not installed. "
            "Run `make demo-train`, or without torch: make demo-train TRAIN=no"
        )
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
