"""Nothing of a factory with a simulated site is shown without that label: every command, every page, every answer is walked."""

import re

import pytest

from eisbach.app.open_factory import apply_site_changes
from eisbach.app.site_facts import LinkFacts, NodeFacts, SiteFacts
from eisbach.cli.commands import ENTRIES
from tests.faces.cli_tools import listening, run_cli
from tests.faces.factory_world import PERIOD, SITE, make_world
from tests.faces.portal_world import browser
from tests.faces.test_portal_access import GUARDED, path_of

HALLS = SiteFacts(
    site="halls",
    country="DE",
    operator="Example",
    operator_country="DE",
    nodes=tuple(
        NodeFacts(
            node=f"gpu-{number:04}", pool="halls-b200", flavour="b200.8", cpu_milli=112_000, memory_mib=2_097_152, gpus=8,
            hall="hall-01", row="row-01", rack=f"rack-0{number // 2 + 1}",
        )
        for number in range(4)
    ),
    links=(LinkFacts(lower="rack", upper="row", gbit_s=800, source="assumed"),),
    is_simulated=True,
)  # fmt: skip
WALKED = {
    "offers": (),
    "site list": (),
    "site show": ("halls",),
    "site power": ("halls",),
    "site stream": ("halls",),
    "site heat": ("halls",),
    "prices list": (),
    "prices show": ("test-1",),
    "promises": (),
    "node list": (),
    "node show": ("gpu-0000",),
    "node cordon": ("gpu-0000",),
    "node uncordon": ("gpu-0000",),
    "node drain": ("gpu-0001",),
    "node resume": ("gpu-0001",),
    "node lost": ("gpu-0002",),
    "node repair": ("gpu-0002",),
    "node maintain": ("gpu-0003", "--from", "2h", "--for", "1h"),
    "node maintenance list": (),
    "node maintenance cancel": ("CLOSURE",),
    "scheduler show": (),
    "scheduler set": ("easy",),
    "report fragmentation": (),
    "org list": (),
    "org billing show": ("ORG",),
    "org create": ("another",),
    "project create": ("another", "--org", "ORG", "--budget", "5"),
    "project list": (),
    "project set-budget": ("PROJECT", "--budget", "100"),
    "share list": (),
    "share set": ("100", "--segment", "research"),
    "share remove": ("--segment", "research"),
    "quota list": (),
    "quota set": ("none",),
    "quota remove": (),
    "agreement set": ("ORG", "--gpus", "0"),
    "token list": (),
    "token create": ("--role", "viewer"),
    "secret list": (),
    "policy show": (),
    "policy check": ("halls",),
    "policy violations": (),
    "policy targets": (),
    "quote": ("--flavour", "cpu", "--nodes", "1", "--for", "1h", "--from", "2026-06-22T00:00"),
    "bookings": (),
    "booking show": ("BOOKING",),
    "ps": ("--all",),
    "status": ("JOB",),
    "why": ("JOB",),
    "cancel": ("RUNNING",),
    "data list": (),
    "data show": ("DATA",),
    "artifacts list": ("JOB",),
    "cost": (),
    "energy": ("--period", PERIOD),
    "invoice list": ("--org", "ORG"),
    "version": (),
}
"""Each command that prints something of a factory, with what it needs; capitals stand for what there is in the test's."""
APART = {
    "up": "tests/faces/test_cli_home.py",
    "portal": "prints links alone",
    **dict.fromkeys(("down", "login", "project use", "backup", "restore", "db check", "init", "site check"), "of a home, a profile or a file, not of sites that work"),
    **dict.fromkeys(("twin run", "twin replay", "twin explore", "twin compare", "twin pack"), "tests/twin: its documents say it themselves"),
    **dict.fromkeys(
        ("audit verify", "audit prove", "audit export", "prove residency", "prove check", "org export", "org import", "org verify-import"),
        "the log is of all sites; its events say simulated",
    ),
    **dict.fromkeys(
        ("data put", "data get", "data copy", "data delete", "data certificate", "data check", "data verify", "artifacts get", "logs", "invoice download"),
        "files and their contents",
    ),
    **dict.fromkeys(
        ("run", "quote hold", "quote release", "book", "booking cancel", "booking extend", "site cap", "org billing set", "token revoke", "secret set",
         "secret delete", "policy set", "policy clear", "invoice issue", "invoice credit", "invoice show"),
        "acts that print through the same function as all others",
    ),
}  # fmt: skip
"""The other commands, each with why it is not walked."""


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def factory(tmp_path_factory, module_patch):
    """A factory with a real and a simulated site that listens; the command line is its operator's, in our project."""
    world = make_world(tmp_path_factory.mktemp("factory"))
    assert apply_site_changes(world.application, [SITE, HALLS])
    with listening(world, module_patch, world.operator):
        module_patch.setenv("EISBACH_PROJECT", world.ours.project)
        yield world
    world.application.stop()


def test_every_command_is_walked_or_said_why_not():
    assert set(WALKED) & set(APART) == set()
    assert {entry.path for entry in ENTRIES} == set(WALKED) | set(APART)


@pytest.mark.parametrize("command", WALKED)
def test_every_command_says_simulated(factory, command):
    ours = factory.ours
    named = {"ORG": ours.organisation, "PROJECT": ours.project, "BOOKING": ours.booking, "JOB": ours.ended_job, "RUNNING": ours.running_job, "DATA": ours.data_set}
    arguments = [named.get(one, one) for one in WALKED[command]]
    if "CLOSURE" in arguments:
        announced = run_cli("node", "maintain", "gpu-0003", "--from", "4h", "--for", "1h", "-o", "json").document()
        arguments = [announced["closure"]["closure"]]
    ran = run_cli(*command.split(" "), *arguments)
    assert ran.code == 0, ran.err
    assert re.search("simulated", ran.out + ran.err, re.IGNORECASE), ran.out
    assert ran.out


@pytest.mark.parametrize("command", ["share list", "scheduler show", "node show", "token list"])
def test_documents_name_the_simulated_sites_and_texts_are_labelled_once(factory, command):
    doc = run_cli(*command.split(" "), *WALKED[command], "-o", "json").document()
    assert doc["simulated_sites"] == ["halls"]
    said = run_cli(*command.split(" "), *WALKED[command])
    assert said.err == ("" if command == "node show" else "Simulated: halls. Nothing is executed there.\n")


def test_a_factory_of_real_sites_says_nothing_of_the_kind(world, monkeypatch):
    with listening(world, monkeypatch, world.operator):
        ran = run_cli("scheduler", "show", "-o", "json")
        assert "simulated_sites" not in ran.document()
        assert run_cli("share", "list").err == ""
    assert "eisbach-simulated" not in world.call("GET", "/v1/nodes", world.operator).headers


@pytest.mark.parametrize("path", ["/v1/shares", "/v1/scheduler", "/v1/nodes/gpu-0000", "/v1/me", "/v1/projects/PROJECT/jobs", "/metrics"])
def test_every_answer_of_the_api_names_the_simulated_sites(factory, path):
    path = path.replace("PROJECT", factory.ours.project)
    assert factory.call("GET", path, factory.operator).headers["eisbach-simulated"] == "halls"
    assert "eisbach-simulated" not in factory.call("GET", path).headers, "whoever is not known learns nothing of the sites"


def test_a_submission_is_labelled_too(factory):
    body = {"task": {"name": "x", "run": "true"}}
    answer = factory.call("POST", f"/v1/projects/{factory.ours.project}/jobs", factory.ours.tokens["member"], json=body)
    assert (answer.status_code, answer.headers["eisbach-simulated"]) == (202, "halls")


FILES = {
    "GET /portal/jobs/{job}/live",
    "GET /portal/jobs/{job}/files/{attempt}/{path:path}",
    "GET /portal/data/{data_set}/content",
    "GET /portal/data/{data_set}/certificate",
    "GET /portal/data/uploads/{data_set}",
    "GET /portal/invoices/{invoice}/file",
}
"""What is no page: files, a stream, the state of an upload."""


@pytest.mark.parametrize("name", [name for name in GUARDED if name.startswith("GET") and name not in FILES])
def test_every_page_of_the_portal_says_simulated(factory, name):
    page = browser(factory, factory.operator).get(path_of(name, factory.ours))
    assert page.status_code < 400, page.text
    assert '<span class="badge badge-simulated"' in page.text
    assert "halls: nothing is executed there." in page.text


def test_the_label_is_told_in_german(factory):
    assert "halls: dort wird nichts ausgeführt." in browser(factory, factory.operator, "de").get("/shares").text


def test_links_between_parts_of_a_site_are_told_live(factory):
    link = {"from": "rack", "to": "row", "gbit_s": 800, "source": "assumed"}
    assert run_cli("site", "show", "halls", "-o", "json").document()["site"]["links"] == [link]
    assert re.search(r"LINK FROM +TO +GBIT/S +SOURCE *\nrack +row +800 +assumed", run_cli("site", "show", "halls").out)
    assert "LINK FROM" not in run_cli("site", "show", "here").out
    page = browser(factory, factory.operator, "de").get("/sites/halls").text
    assert ("Verbindungen zwischen seinen Teilen" in page, "assumed" in page) == (True, True)
    assert "Links between" not in browser(factory, factory.operator).get("/sites/here").text
