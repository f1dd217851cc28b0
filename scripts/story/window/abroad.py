"""Abroad: what may not leave the country is refused, with rule, facts and a place in the log, and what stayed is proven."""

import json
import shutil
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from story.window.stage import ORGANISATION, WindowStage

ABROAD = "example-us"
US_PARENT = "example-eu-us-parent"
FACTS = {"de": "Vereinigte Staaten", "en": "stands in US"}
RULES = ("--country", "EU", "--parent", "EU")
REFUSED = (1, 2, 3, 4, 5, 6)
"""Any exit code that is not 0: docs/cli.md says which means what."""
SCRIPTS = ("verify_residency.py", "verify_bundle.py")


def refuse(stage: WindowStage) -> None:
    """Try to run, copy, log and back up abroad."""
    shell, check = stage.shell, stage.record.check
    shell.eisbach("policy", "set", "--org", ORGANISATION, *RULES)
    for language, fact in FACTS.items():
        status, said = stage.call("POST", f"/v1/projects/{stage.project}/jobs", {"task": _task({"sites": [ABROAD]})}, language)
        shell.say(f"    {status} {said.get('title', '')}\n    {said.get('detail', '')}")
        position = _position(said)
        check(f"a job abroad is refused ({language})", status == 422 and position is not None, f"log position {position}")
        check(f"rule and facts are told ({language})", fact in str(said.get("detail")), fact)
    copied = shell.eisbach("data", "copy", stage.own_data, "--to", ABROAD, "-p", stage.project, codes=REFUSED)
    check("a copy of data abroad is refused", "log" in copied.output.lower(), f"exit code {copied.code}")


def refuse_targets(stage: WindowStage) -> None:
    """As the operator, try to write a backup and the log abroad."""
    shell, check = stage.shell, stage.record.check
    stage.key = str(shell.ask("audit", "verify")["key"])
    for what, words in (("a backup", ("backup", "abroad.tar")), ("a log", ("audit", "export", "--out", "abroad.jsonl"))):
        done = shell.eisbach(*words, "--site", ABROAD, codes=REFUSED)
        check(f"{what} abroad is refused", not (shell.folder / words[-1]).exists(), f"exit code {done.code}")


def stay(stage: WindowStage) -> None:
    """Run where the operator and its parent are of the EU, and prove it to an outsider."""
    shell, check = stage.shell, stage.record.check
    status, said = stage.call("POST", f"/v1/projects/{stage.project}/jobs", {"task": _task({"parent_countries": ["EU"]})})
    job = str(said.get("job", ""))
    ended = stage.wait_for(job, "ended") if status == 202 else said
    check("a job for operators of the EU goes to one", ended.get("site") == "here", f"ran at {ended.get('site')}, not at {US_PARENT}")
    shell.eisbach("prove", "residency", stage.job, "--out", "residency.json", "-p", stage.project)
    for script in SCRIPTS:
        shutil.copy(stage.scripts / script, shell.folder / script)
    code, verdict = _verified(stage, "residency.json")
    check("offline: where the job was, by which rules", code == 0, verdict)
    shell.say("  In a copy of the proof the site is moved to the United States:")
    _move(shell.folder / "residency.json", shell.folder / "moved.json")
    code, verdict = _verified(stage, "moved.json")
    check("a changed country is found", code == 1 and "FAILED" in verdict, verdict.replace("FAILED", "found"))


def _verified(stage: WindowStage, file: str) -> tuple[int, str]:
    """Return the exit code of the check, and its last line."""
    command = [sys.executable, "-I", SCRIPTS[0], file, "--key", stage.key]
    done = stage.shell.run(command, f"python -I {SCRIPTS[0]} {file} --key '{stage.key}'", codes=range(256))
    return done.code, (done.output.splitlines() or [""])[-1]


def _move(source: Path, target: Path) -> None:
    """Copy a proof whose first site stands in the United States."""
    proof = json.loads(source.read_text())
    for leaf in proof["leaves"]:
        data = b64decode(leaf["data"])
        if b'"country":"DE"' in data:
            leaf["data"] = b64encode(data.replace(b'"country":"DE"', b'"country":"US"')).decode()
            break
    target.write_text(json.dumps(proof))


def _task(placement: dict[str, Any]) -> dict[str, Any]:
    return {"name": "elsewhere", "run": "true", "resources": {"cpus": 1, "memory": 1}, "time_limit": "5m", "placement": placement}


def _position(said: dict[str, Any]) -> int | None:
    for one in [said, *said.get("errors", []), *said.get("problems", [])]:
        values = one.get("values", {}) if isinstance(one, dict) else {}
        if isinstance(one, dict) and "log_position" in {**one, **values}:
            return int({**one, **values}["log_position"])
    return None
