"""The proof at the story's end: the log is checked offline, by a script that knows nothing of Eisbach."""

import json
import shutil
import sys
from base64 import b64decode, b64encode
from pathlib import Path

from story.stage import Stage

SCRIPT = "verify_bundle.py"


def verify(stage: Stage) -> None:
    """Export proofs, check them offline with the operator's key, and again with one byte changed."""
    shell, check = stage.shell, stage.record.check
    stage.key = str(shell.ask("audit", "verify")["key"])
    shell.say(f"  The key that the operator publishes: {stage.key}")
    with stage.acting_with("member.token"):
        shell.eisbach("audit", "prove", stage.job, "--out", "proof.json")
    with stage.acting_with("auditor.token"):
        shell.eisbach("audit", "export", "--out", "log.jsonl")
    shutil.copy(stage.scripts / SCRIPT, shell.folder / SCRIPT)
    for bundle, what in (("proof.json", "the job's events stand in the signed log"), ("log.jsonl", "the log is whole")):
        code, output = _verified(stage, bundle)
        check(f"offline: {what}", code == 0 and "VERIFIED" in output, output.splitlines()[-1] if output else "")
    check("the script imports nothing of Eisbach", not _imports_of_ours(stage), "python -X importtime")
    shell.say("  One bit of one event is changed in a copy of the log:")
    _forge(shell.folder / "log.jsonl", shell.folder / "forged.jsonl")
    code, output = _verified(stage, "forged.jsonl")
    check("a changed byte is found", code == 1 and "FAILED" in output, output.splitlines()[-1].replace("FAILED", "found") if output else "")


def _verified(stage: Stage, bundle: str) -> tuple[int, str]:
    shown = f"python -I {SCRIPT} {bundle} --key '{stage.key}'"
    done = stage.shell.run([sys.executable, "-I", SCRIPT, bundle, "--key", stage.key], shown, codes=range(256))
    return done.code, done.output


def _imports_of_ours(stage: Stage) -> list[str]:
    """Return what the script imports of Eisbach, as the interpreter itself tells it."""
    command = [sys.executable, "-I", "-X", "importtime", SCRIPT, "proof.json", "--key", stage.key]
    shown = f"python -I -X importtime {SCRIPT} proof.json --key '{stage.key}' | grep eisbach"
    done = stage.shell.run(["bash", "-c", '"$@" 2>&1 | grep -E "\\| +eisbach(\\.|$)" || true', "bash", *command], shown)
    return done.output.splitlines()


def _forge(source: Path, target: Path) -> None:
    """Copy a bundle of JSON lines with the lowest bit of one byte of its middle leaf turned."""
    lines = source.read_text().splitlines()
    at = (1 + len(lines)) // 2
    leaf = json.loads(lines[at])
    data = bytearray(b64decode(leaf["data"]))
    place = data.index(b'"salt":"') + len(b'"salt":"')
    data[place] ^= 1  # a hexadecimal digit of the salt: it stays valid JSON
    lines[at] = json.dumps({**leaf, "data": b64encode(bytes(data)).decode()})
    target.write_text("\n".join(lines) + "\n")
