"""The factory's part of the story: it is started, gets a customer, says what it offers, and goes down without a trace."""

import os
import re
import shlex
import signal
import stat
import sys
import time
from contextlib import suppress

from story import process_table
from story.checks import StepFailed
from story.stage import BUDGET_EUR, ORGANISATION, PROJECT, FactoryStage, Stage

DENIED = 5
"""The exit code of `eisbach` for something that a token may not do (docs/cli.md)."""
END_S = 5.0
GRACE_S = 35.0


def start(stage: Stage) -> None:
    """Start the factory in its temporary home."""
    stage.shell.eisbach("up", "--port", "0", "--detach")
    home_mode = stat.S_IMODE(stage.home.stat().st_mode)
    secrets = ("operator.token", "log.key")
    modes = {stat.S_IMODE((stage.home / name).stat().st_mode) for name in secrets}
    seen = f"home {home_mode:04o}, token and key {', '.join(f'{mode:04o}' for mode in sorted(modes))}"
    stage.record.check("home and secrets are for their owner alone", home_mode == 0o700 and modes == {0o600}, seen)


def make_customer(stage: Stage) -> None:
    """Make an organisation, a project with a budget, and the token with which everything later is done."""
    shell = stage.shell
    shell.eisbach("org", "create", ORGANISATION)
    made = shell.eisbach("project", "create", PROJECT, "--org", ORGANISATION, "--budget", BUDGET_EUR)
    found = re.search(r"prj_\w+", made.output)
    if found is None:
        raise StepFailed("`eisbach project create` does not say which project it made")
    stage.project = found[0]
    make_token(stage, "member.token", "--role", "member", "--project", PROJECT)
    make_token(stage, "auditor.token", "--role", "auditor")
    shell.say("  From here on the customer acts, with the member's token: export EISBACH_TOKEN=$(cat member.token)")
    with stage.acting_with("member.token"):
        refused = shell.eisbach("org", "create", "Somebody else", codes=(0, DENIED))
    stage.record.check("a member may not do what is the operator's", refused.code == DENIED, f"exit code {refused.code}")


def make_token(stage: FactoryStage, file: str, *words: str) -> None:
    """Make a token and keep its secret in a file that only the owner reads."""
    command = ["token", "create", *words]
    shown = f"{shlex.join(['eisbach', *command])} > {file}"
    stage.shell.show_command(shown)
    done = stage.shell.capture([sys.executable, "-m", "eisbach", *command], shown)
    descriptor = os.open(stage.shell.folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(done.output)


def show_offers(stage: Stage) -> None:
    """Show what there is to be had, and at what price."""
    stage.shell.eisbach("offers")
    (offer,) = stage.shell.ask("offers")["items"]
    label = str(offer["tariff_label"])
    stage.record.check("the price list says that it is an example", "example" in label, label)
    stage.fit_to(offer["cpu_milli"], offer["memory_mib"])


def check_store(stage: FactoryStage) -> None:
    """Have the store recomputed from its log."""
    stage.shell.eisbach("db", "check")
    stage.record.check("log, tables and sums of the store agree", True, "sound")


def stop(stage: FactoryStage) -> None:
    """Stop the factory; nothing of it may be left running."""
    stage.shell.eisbach("down")
    left = wait_for_end(stage)
    stage.record.check("no process of the factory is left", not left, f"{len(left)} left")


def clean_up(stage: FactoryStage) -> None:
    """After a failure or Ctrl-C: end what runs, then the factory."""
    shell = stage.shell
    shell.environment.pop("EISBACH_TOKEN", None)
    if not (stage.home / "server.json").exists() and not own_processes(stage):
        return
    if stage.project:
        waiting_or_running = [one for one in shell.ask("ps", "--all", "-p", stage.project)["jobs"] if not one["outcome"]]
        for job in waiting_or_running:
            shell.eisbach("cancel", str(job["job"]))
        wait_for_end_of_jobs(stage)
    shell.eisbach("down")
    for number in (signal.SIGTERM, signal.SIGKILL):  # a server that was still starting is not known to `down`
        for pid in wait_for_end(stage):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def wait_for_end(stage: FactoryStage) -> list[int]:
    """Return the processes of this factory that are left when it had time to end."""
    deadline = time.monotonic() + END_S
    while (left := own_processes(stage)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def wait_for_end_of_jobs(stage: FactoryStage) -> None:
    """Give cancelled jobs their grace, then kill what is left of them."""
    deadline = time.monotonic() + GRACE_S
    while (left := process_table.of_project(stage.project)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for one in left:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def own_processes(stage: FactoryStage) -> list[int]:
    """Return the processes of this factory: those that name its home, and those of its jobs."""
    named = os.fsencode(str(stage.home))
    found = []
    for pid in process_table.pids():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                is_ours = named in file.read()
        except OSError:
            continue
        if is_ours and pid != os.getpid():
            found.append(pid)
    return found + [one.pid for one in process_table.of_project(stage.project)]
