"""Plays the story of a plant operator without contract and without GPU, with live output: demo.py [--close]. Run by `make demo`.

A factory with sites at home and abroad starts in a temporary home; a firm signs itself up in the portal, finds leaks in
real measurements, watches a simulated plant on the line, is kept from sending its data abroad, sees energy, bill and
invoice, and leaves with everything. At the end the portal stays open, until `make demo-close` or the next `make demo`
ends it; with `--close` it is ended at once. Exit code: 0 when every check held, 1 when one failed, 2 when something is
missing, 130 after Ctrl-C.

Real: the factory, this machine's site, the measurements, uploads, hashes, signatures, the invoice's format. Simulated or
modelled, and labelled so wherever it shows: the other sites, the plant that sends, power, stream and heat.
"""

import argparse
import importlib.util
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from story import factory
from story.browser import Browser
from story.checks import Record, StepFailed
from story.play import INTERRUPTED, Scene, environment_of, played, prepare_process, temporary_folder, verdict
from story.shell import Shell
from story.window import abroad, bill, building, leaving, measurements, opening, plant
from story.window.left_open import LeftOpen
from story.window.stage import WindowStage

SCRIPTS = Path(__file__).resolve().parent
NEEDED = {"river": "the measurements of a real pipeline", "paho": "MQTT", "amqtt": "the broker of the demo"}


def _without_job(stage: WindowStage) -> str:
    return "" if stage.job else "there is no job to look at"


OPENING: Sequence[Scene[WindowStage]] = (Scene("factory up", opening.start), Scene("sign-up", opening.sign_up))
AS_CUSTOMER: Sequence[Scene[WindowStage]] = (
    Scene("offers", opening.look_around),
    Scene("template", measurements.run_template),
    Scene("own data", measurements.bring_own_data),
    Scene("plant on the line", plant.stream),
    Scene("abroad", abroad.refuse),
)
AFTERWARDS: Sequence[Scene[WindowStage]] = (
    Scene("targets", abroad.refuse_targets),
    Scene("at home", abroad.stay, _without_job),
    Scene("128 GPUs, simulated", building.fill_a_row),
    Scene("building", building.show),
    Scene("energy and bill", bill.energy, _without_job),
    Scene("invoice", bill.invoice, _without_job),
    Scene("promises", building.promises),
    Scene("leaving", leaving.export),
    Scene("second factory", leaving.import_elsewhere),
    Scene("store", factory.check_store),
)


def main() -> int:
    """Play the story and return the exit code."""
    parser = argparse.ArgumentParser(description="Plays the story of a plant operator, from the sign-up to the exit.")
    parser.add_argument("--close", action="store_true", help="close the portal at the end instead of leaving it open")
    parser.add_argument("--close-only", action="store_true", help="close what an earlier demo left open, and do nothing else")
    arguments = parser.parse_args()
    left_open = LeftOpen(SCRIPTS.parent / "build" / "demo-open.json")
    if said := left_open.close():
        print(said)
    if arguments.close_only:
        return 0
    if missing := _missing():
        print(missing, file=sys.stderr)
        return 2
    prepare_process()
    folder = temporary_folder()
    stage = WindowStage(
        shell=Shell(folder, environment_of(folder)), record=Record(), scripts=SCRIPTS, visitor=Browser("de")
    )
    code, stays_open = INTERRUPTED, False
    try:
        code = _play(stage)
        stays_open = code == 0 and not arguments.close
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half a factory behind
        if stays_open:
            opening.leave_open(stage)
            left_open.remember(stage)
        else:
            _close(stage)
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _play(stage: WindowStage) -> int:
    stage.shell.say(f"Everything happens in {stage.shell.folder}: the home of the factory and what its customer keeps.")
    try:
        if all(played(stage, [scene]) for scene in OPENING):
            with stage.acting_with("customer.token"):
                played(stage, AS_CUSTOMER)
            played(stage, AFTERWARDS)
    except KeyboardInterrupt:
        stage.shell.say("\nInterrupted: what runs is ended, then the factory.")
        return INTERRUPTED
    stage.shell.say(verdict(stage))
    return 0 if stage.record.is_ok else 1


def _close(stage: WindowStage) -> None:
    try:
        factory.clean_up(stage)
    except StepFailed as error:
        stage.shell.say(f"  Cleaning up failed: {error}")


def _missing() -> str:
    """Return what stands in the way, and what to do; nothing where all is there."""
    if sys.platform != "linux":
        return "The demo needs Linux: it looks at processes in /proc."
    if importlib.util.find_spec("eisbach") is None:
        return "Eisbach is not installed for this Python. Run: make demo"
    absent = [f"{name} ({what})" for name, what in NEEDED.items() if importlib.util.find_spec(name) is None]
    return f"Not installed: {', '.join(absent)}. Run: make demo" if absent else ""


if __name__ == "__main__":
    raise SystemExit(main())
