"""The opening: a factory with sites at home and abroad, and a firm that signs itself up in the portal."""

import os
import re
import sys

from story import factory
from story.checks import StepFailed
from story.window.stage import BUDGET_EUR, ORGANISATION, PROJECT, WindowStage

SITES = "example_sites.toml"


def start(stage: WindowStage) -> None:
    """Start a factory whose site file names this machine and simulated sites abroad."""
    shell = stage.shell
    (shell.folder / SITES).write_bytes((stage.scripts / "story" / SITES).read_bytes())
    said = shell.eisbach("up", "--port", "0", "--site-file", SITES, "--detach").output
    url = re.search(r"http://[\d.:]+(?=[ \n]|$)", said, re.M)
    links = re.findall(r"(http\S+/portal/\S+)", said)
    if url is None or len(links) < 2:
        raise StepFailed("`eisbach up` prints no address and no links into the portal")
    stage.url, (stage.sign_up_link, stage.operator_link) = url[0], links[:2]
    sites = shell.ask("site", "list")["sites"]
    simulated = sorted(str(one["site"]) for one in sites if one["simulated"])
    real = [one for one in sites if not one["simulated"]]
    stage.record.check("one site is this machine, the others say that they are simulated", len(real) == 1 and len(simulated) >= 2, ", ".join(simulated))


def sign_up(stage: WindowStage) -> None:
    """Follow the link that `up` printed, in German, and make an organisation with its first project."""
    shell, check = stage.shell, stage.record.check
    visit = stage.visitor.open(stage.sign_up_link)
    shell.show_command("[portal] the link for a firm")
    check("the portal speaks the visitor's language", visit.language == "de", f"lang={visit.language}")
    form = visit.form("sign-up")
    said = {"organisation": ORGANISATION, "segment": "mittelstand", "project": PROJECT, "budget": BUDGET_EUR}
    home = stage.visitor.send(visit, form, said)
    check("a firm signs up without contract and without the command line", home.status == 200 and ORGANISATION in home.text, "Mittelstand")
    again = stage.visitor.send(visit, form, said)
    organisations = [one for one in shell.ask("org", "list")["organisations"] if one["name"] == ORGANISATION]
    check("the same form sent twice makes one organisation", again.status == 200 and len(organisations) == 1, f"{len(organisations)}")
    stage.organisation = str(organisations[0]["organisation"])
    projects = [one for one in shell.ask("project", "list")["projects"] if one["name"] == PROJECT]
    stage.project = str(projects[0]["project"])
    factory.make_token(stage, "customer.token", "--role", "admin", "--org", ORGANISATION)
    factory.make_token(stage, "auditor.token", "--role", "auditor")


def look_around(stage: WindowStage) -> None:
    """See flavours with price and place, before anything starts."""
    german = stage.page("/offers")
    has_place = "Deutschland" in german.text and "Vereinigte Staaten" in german.text
    stage.record.check("flavours show price and place", "EUR" in german.text and has_place, "in German")
    stage.record.check("what is simulated says so where it is offered", "imuliert" in german.text, "German: simuliert")
    template = stage.page("/templates/predictive-maintenance")
    form = template.form("/plan")
    plan = stage.visitor.send(template, form, {"project": stage.project, "cpus": "1", "memory": "1", "time_limit": "10m"})
    ceiling = re.search(r"([\d.,]+)\s*EUR", plan.text)
    stage.record.check("the ceiling stands on the plan before anything starts", plan.status == 200 and ceiling is not None, ceiling[0] if ceiling else "")


def leave_open(stage: WindowStage) -> None:
    """Say where the portal is, and how it is closed."""
    shell = stage.shell
    links = {role: shell.ask("portal", *words)["links"][0]["link"] for role, words in LINKS.items()}
    shell.say("\n  The portal stays open. Each link works once, within half an hour:")
    for role, link in links.items():
        shell.say(f"    {role:<15}{link}")
    shell.say(f"  Close it with: make demo-close   (its home is {stage.home}, process {_server(stage)})")
    stage.record.check("the portal is left open", all(str(link).startswith(stage.url) for link in links.values()), stage.url)


LINKS = {
    "the customer": ("--organisation", ORGANISATION),
    "the operator": ("--role", "operator"),
    "the auditor": ("--role", "auditor"),
}


def _server(stage: WindowStage) -> str:
    pids = [pid for pid in factory.own_processes(stage) if pid != os.getpid()]
    return str(min(pids)) if pids else sys.platform
