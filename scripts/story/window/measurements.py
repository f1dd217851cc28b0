"""The plant's measurements: a template on real data, started in the portal, and a CSV of the customer's own."""

import base64
import csv
import hashlib
import http.client
import importlib.resources
import json
import urllib.parse
from datetime import datetime
from pathlib import Path

from story.checks import StepFailed
from story.window.stage import Json, WindowStage

SIZE = {"cpus": "1", "memory": "1", "time_limit": "10m"}
OWN_FILE = "durchfluss.csv"
DATA_SET = "water-own"


def run_template(stage: WindowStage) -> None:
    """Start predictive maintenance on two months of real water flow, and read what it found and missed."""
    check = stage.record.check
    stage.job = _started(stage, {"name": "water-flow", "env_LANGUAGE": "de"})
    ended = stage.wait_for(stage.job, "ended")
    stage.shell.eisbach("logs", stage.job, "-p", stage.project)
    check("the job ran on this machine", ended["outcome"] == "succeeded", f"{ended['outcome']}, {ended['charged_ms']} ms held")
    found = _results(stage, stage.job, "results")
    wanted = {"report.html", "alarms.csv", "figures.json", "model.json"}
    check("report with plots, alarms, figures and a model", wanted <= set(found), ", ".join(sorted(found)))
    stage.figures = json.loads(found["figures.json"].read_text())
    seen = stage.figures
    check("documented anomalies are scored openly", seen["found"] + seen["missed"] == seen["documented"], _score(seen))
    check("the report says whose data it is", "Tecnojest" in found["report.html"].read_text(), "donor and licence")


def bring_own_data(stage: WindowStage) -> None:
    """Upload a CSV as a German plant writes it, with a connection that breaks, and run the template on it."""
    shell, check = stage.shell, stage.record.check
    content = _as_a_plant_writes_it(shell.folder / OWN_FILE)
    location = _begin_upload(stage, len(content))
    half = len(content) // 2
    _send(stage, location, content[:half], 0)
    shell.say(f"    the connection breaks after {half} of {len(content)} bytes")
    offset = _offset(stage, location)
    _send(stage, location, content[offset:], offset)
    stage.own_data = location.rpartition("/")[2]
    shown = shell.ask("data", "show", stage.own_data, "-p", stage.project)
    check("the upload goes on where it was, and its hash is shown", offset == half and hashlib.sha256(content).hexdigest() in str(shown), f"went on at {offset}")
    job = _started(stage, {"name": "own-data", "data_set": stage.own_data})
    ended = stage.wait_for(job, "ended")
    own = json.loads(_results(stage, job, "own-results")["figures.json"].read_text())
    same = _curve(own) == _curve(stage.figures)
    check("the template reads it as it is: semicolons, decimal commas, local time", ended["outcome"] == "succeeded" and same, str(ended["outcome"]))


def _started(stage: WindowStage, chosen: dict[str, str]) -> str:
    """Fill in the form of the template, look at the plan, start; return the job."""
    page = stage.page("/templates/predictive-maintenance")
    form = page.form("/plan")
    plan = stage.visitor.send(page, form, {**SIZE, **chosen, "project": stage.project})
    if plan.status != 200:
        raise StepFailed(f"the plan answers {plan.status}: {plan.text[:300]}")
    started = stage.visitor.send(plan, plan.form("/start"), {})
    job = stage.job_id_in(started.url)
    twice = stage.visitor.send(plan, plan.form("/start"), {})
    stage.record.check("a form sent twice starts one job", stage.job_id_in(twice.url) == job, job)
    return job


def _results(stage: WindowStage, job: str, folder: str) -> dict[str, Path]:
    stage.shell.eisbach("artifacts", "get", job, "--into", folder, "-p", stage.project)
    return {path.name: path for path in (stage.shell.folder / folder).rglob("*") if path.is_file()}


def _score(seen: Json) -> str:
    return f"found {seen['found']}, missed {seen['missed']}, false alarms {seen['false_alarms']}"


def _curve(seen: Json) -> tuple[object, ...]:
    """Return what a series is recognised by: its lines, its first and last instant, its step."""
    return tuple(seen["data"][name] for name in ("rows", "from", "to", "step_s"))


def _as_a_plant_writes_it(file: Path) -> bytes:
    """Write river's water flow with semicolons, decimal commas and local time; return what was written."""
    source = importlib.resources.files("river.datasets").joinpath("water-flow.csv")
    lines = ["Zeit;Durchfluss in l/s"]
    with source.open(encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            instant, value = list(row.values())[:2]
            if value:
                at = datetime.fromisoformat(instant.replace("Z", "+00:00"))
                lines.append(f"{at:%d.%m.%Y %H:%M};{value.replace('.', ',')}")
    content = ("\r\n".join(lines) + "\r\n").encode("cp1252")
    file.write_bytes(content)
    return content


def _begin_upload(stage: WindowStage, size: int) -> str:
    name = base64.b64encode(DATA_SET.encode()).decode()
    headers = {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
    status, said = _tus(stage, "POST", f"/v1/projects/{stage.project}/uploads", headers)
    if status != 201:
        raise StepFailed(f"the upload is not taken: {status}")
    return urllib.parse.urlsplit(said["location"]).path


def _send(stage: WindowStage, location: str, content: bytes, offset: int) -> None:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    status, _ = _tus(stage, "PATCH", location, headers, content)
    if status != 204:
        raise StepFailed(f"the piece at {offset} is not taken: {status}")


def _offset(stage: WindowStage, location: str) -> int:
    _, said = _tus(stage, "HEAD", location, {})
    return int(said["upload-offset"])


def _tus(stage: WindowStage, method: str, path: str, headers: dict[str, str], content: bytes = b"") -> tuple[int, dict[str, str]]:
    """Speak tus 1.0 with the factory: any client of the protocol does the same."""
    stage.shell.show_command(f"[tus] {method} {path} {headers.get('Upload-Offset', '')}".rstrip())
    address = urllib.parse.urlsplit(stage.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    token = stage.shell.environment["EISBACH_TOKEN"]
    try:
        connection.request(method, path, content, {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
