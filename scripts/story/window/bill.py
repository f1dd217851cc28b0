"""The bill: energy with its shares, the ceiling that was quoted and the charge that followed, and the invoice as a file."""

import datetime
import re

from story.window.stage import ORGANISATION, WindowStage

BUYER = (
    "--name", "Example Waterworks GmbH", "--street", "Beispielstr. 1", "--postcode", "80538", "--city", "München", "--country", "DE",
    "--electronic-address", "rechnung@waterworks.example", "--buyer-reference", "leak-watch-1",
)  # fmt: skip


def energy(stage: WindowStage) -> None:
    """Show what the job drew, and how much of that was idle and overhead."""
    shell, check = stage.shell, stage.record.check
    shell.eisbach("energy", stage.job, "-p", stage.project)
    found = shell.ask("energy", stage.job, "-p", stage.project)
    labels = set(re.findall(r"measured|modelled|simulated", str(found)))
    check("energy of the job says how it is known", bool(labels), ", ".join(sorted(labels)))
    cost = shell.ask("cost", "-p", stage.project)
    job = next(one for one in cost["jobs"] if one["job"] == stage.job)
    check("the charge stays below the ceiling that was quoted", 0 < job["charged"] <= job["cap"], f"{job['charged']} of {job['cap']} micro-euro")
    page = stage.page("/bill")
    check("the bill is a page", "kWh" in page.text, "with kWh")


def invoice(stage: WindowStage) -> None:
    """Have the month billed: refused without an address, then as XRechnung and as a page."""
    shell, check = stage.shell, stage.record.check
    month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    refused = shell.eisbach("invoice", "issue", "--org", ORGANISATION, "--period", month, codes=(1, 2, 3, 4, 5, 6))
    check("without an address there is no invoice, and it says what is missing", "street" in refused.output, f"exit code {refused.code}")
    shell.eisbach("org", "billing", "set", ORGANISATION, *BUYER)
    made = shell.ask("invoice", "issue", "--org", ORGANISATION, "--period", month)
    number = str(made["number"])
    shell.eisbach("invoice", "show", number)
    shell.eisbach("invoice", "download", number, "--to", "invoice.xml")
    xml = (shell.folder / "invoice.xml").read_text()
    check("the invoice is an XRechnung 3.0", "xrechnung_3.0" in xml and number in xml, number)
    shell.eisbach("invoice", "download", number, "--to", "again.xml")
    check("made again it is the same, byte for byte", (shell.folder / "again.xml").read_text() == xml, f"{len(xml)} characters")
    page = stage.page(f"/invoices/{number}")
    check("the invoice is a page too", number in page.text, page.language)
