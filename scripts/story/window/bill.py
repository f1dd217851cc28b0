"""The bill: energy with its shares, the ceiling that was quoted and the charge that followed, and the invoice as a file."""

import datetime
import re
import time

from story.checks import StepFailed
from story.window.stage import ORGANISATION, WindowStage

METERS_S = 90.0
BUYER = (
    "--name", "Example Waterworks GmbH", "--street", "Beispielstr. 1", "--postcode", "80538", "--city", "München", "--country", "DE",
    "--electronic-address", "rechnung@waterworks.example", "--buyer-reference", "leak-watch-1",
)  # fmt: skip


def energy(stage: WindowStage) -> None:
    """Show what the job drew, and how much of that was idle and overhead."""
    shell, check = stage.shell, stage.record.check
    _await_meters(stage)
    shell.eisbach("energy", stage.job, "-p", stage.project)
    _, found = stage.call("GET", f"/v1/jobs/{stage.job}/energy")
    labels = set(re.findall(r"measured|modelled|simulated", str(found)))
    check("energy of the job says how it is known", found["total_mj"] > 0 and bool(labels), ", ".join(sorted(labels)))
    parts = found["own_mj"] + found["idle_mj"] + found["overhead_mj"]
    check("own energy, share of idle and share of overhead are its sum", parts == found["total_mj"], f"{parts} mJ")
    shell.eisbach("energy", "-p", stage.project)
    shell.eisbach("cost", stage.job, "-p", stage.project)
    cost = shell.ask("cost", stage.job, "-p", stage.project)
    charged, ceiling = cost["charged_micro_eur"], cost["ceiling_micro_eur"]
    check("the charge stays below the ceiling that was quoted", 0 < charged <= ceiling, f"{charged} of {ceiling} micro-euro")
    page = stage.page("/bill")
    check("the bill is a page", "kWh" in page.text, "with kWh")


def _await_meters(stage: WindowStage) -> None:
    """Wait until the meters were read once more after the end of every job that the bill is for."""
    stage.shell.say("  The meters are read again within a minute of a job's end ...")
    deadline = time.monotonic() + METERS_S
    for job in filter(None, (stage.job, stage.streaming_job, stage.simulated_job)):
        _await_meter(stage, job, deadline)


def _await_meter(stage: WindowStage, job: str, deadline: float) -> None:
    while True:
        status, found = stage.call("GET", f"/v1/jobs/{job}/energy")
        if status == 200 and found["is_complete"]:
            return
        if status != 200 or time.monotonic() > deadline:
            raise StepFailed(f"the energy of the job is not complete: {found}")
        time.sleep(0.5)


def invoice(stage: WindowStage) -> None:
    """Have the month billed: refused without an address, then as XRechnung and as a page."""
    shell, check = stage.shell, stage.record.check
    month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    refused = shell.eisbach("invoice", "issue", "--org", ORGANISATION, "--period", month, codes=(1, 2, 3, 4, 5, 6))
    check("without an address there is no invoice, and it says what is missing", "street" in refused.output, f"exit code {refused.code}")
    shell.eisbach("org", "billing", "set", ORGANISATION, *BUYER)
    made = shell.ask("invoice", "issue", "--org", ORGANISATION, "--period", month)
    number = str(made["invoice"])
    shell.eisbach("invoice", "show", number)
    shell.eisbach("invoice", "download", number, "--to", "invoice.xml")
    xml = (shell.folder / "invoice.xml").read_text()
    check("the invoice is an XRechnung 3.0", "xrechnung_3.0" in xml and number in xml, number)
    shell.eisbach("invoice", "download", number, "--to", "again.xml")
    check("made again it is the same, byte for byte", (shell.folder / "again.xml").read_text() == xml, f"{len(xml.encode())} bytes")
    page = stage.page(f"/invoices/{number}")
    check("the invoice is a page too", number in page.text, page.language)
