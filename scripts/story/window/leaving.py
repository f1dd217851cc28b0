"""Leaving: everything of the organisation in open formats, and a second factory that takes it in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from story import factory
from story.window.stage import ORGANISATION, WindowStage

PACKAGE = "leaving.tar"
SCRIPT = "verify_export.py"
SECOND_SITE = """\
# The customer's rules go with it: a factory that does not say where it stands may not take its data.
[site]
name = "second"
country = "DE"
operator = "Another Example Operator (EU)"
operator_country = "DE"

[[node]]
name = "node-1"
pool = "second"
this_machine = true
"""


def export(stage: WindowStage) -> None:
    """Write the package and check it without Eisbach."""
    shell, check = stage.shell, stage.record.check
    with stage.acting_with("customer.token"):
        shell.eisbach("org", "export", ORGANISATION, PACKAGE)
    command = [sys.executable, "-I", str(stage.scripts / SCRIPT), PACKAGE, "--key", stage.key]
    done = shell.run(command, f"python -I {SCRIPT} {PACKAGE} --key '{stage.key}'", codes=range(256))
    check("offline: the package is whole and its events stand in the signed log", done.code == 0, done.output.splitlines()[-1] if done.output else "")


def import_elsewhere(stage: WindowStage) -> None:
    """Start a second factory and take the organisation in: same hashes, balances, proofs."""
    shell, check = stage.shell, stage.record.check
    with _second_home(stage):
        (shell.folder / "second.toml").write_text(SECOND_SITE)
        shell.eisbach("up", "--port", "0", "--site-file", "second.toml", "--detach")
        try:
            shell.eisbach("org", "import", PACKAGE, "--trust", stage.key)
            compared = shell.eisbach("org", "verify-import", ORGANISATION, codes=range(256))
            check("hashes, balances and proofs are the same there", compared.code == 0, f"exit code {compared.code}")
            sound = shell.eisbach("db", "check", codes=range(256))
            check("the second factory's log and tables agree", sound.code == 0, f"exit code {sound.code}")
        finally:
            shell.eisbach("down")
            factory.wait_for_end(stage)


@contextmanager
def _second_home(stage: WindowStage) -> Iterator[None]:
    """Have every command talk to another factory for a while."""
    before = {name: stage.shell.environment[name] for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    for name in before:
        folder = stage.shell.folder / f"second-{name.lower()}"
        folder.mkdir(exist_ok=True)
        stage.shell.environment[name] = str(folder)
    try:
        yield
    finally:
        stage.shell.environment.update(before)
