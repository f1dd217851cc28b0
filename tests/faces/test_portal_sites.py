"""The portal's sites and the operator's map: under whose law, what is allocated, and that simulated is said."""

import re

import pytest
from msgspec.structs import replace

from eisbach.app.open_factory import apply_site_changes
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.portal.pages import sites as pages_of_sites
from eisbach.portal.pages.sites import node_class
from tests.faces.factory_world import SITE
from tests.faces.portal_world import browser

FAR = SiteFacts(
    site="far & away",
    country="DE",
    operator="Example Far",
    operator_country="IE",
    parent_country="US",
    nodes=tuple(
        NodeFacts(
            node=f"far-{number:02}", pool="far", flavour="b200.8", cpu_milli=64_000, memory_mib=65_536, gpus=8,
            hall="hall-01", row=f"row-0{number // 8 + 1}", rack=f"rack-0{number // 4 % 2 + 1}",
        )
        for number in range(16)
    ),
    is_simulated=True,
)  # fmt: skip


@pytest.fixture
def sites(world):
    """A factory with a second, simulated site."""
    assert apply_site_changes(world.application, [SITE, FAR])
    return world


def test_the_list_tells_country_and_jurisdiction_apart(sites):
    text = browser(sites, sites.ours.tokens["viewer"]).get("/sites").text
    row = re.search(r"<tr>(?:(?!</tr>).)*far &amp; away.*?</tr>", text, re.DOTALL)[0]
    assert [place in row for place in ("Germany", "Ireland", "United States")] == [True] * 3
    assert "badge-simulated" in row
    assert 'href="/portal/sites/far%20%26%20away"' in row


def test_a_site_says_whose_law_reaches_it_in_german_too(sites):
    page = browser(sites, sites.ours.tokens["viewer"], "de").get("/sites/far%20%26%20away")
    assert "Vereinigte Staaten" in page.text
    assert "oberste Muttergesellschaft des Betreibers hat ihren Sitz in einem anderen Land" in page.text
    assert "/map" not in page.text, "the map is the operator's"
    here = browser(sites, sites.operator).get("/sites/here").text
    assert "in another country" not in here
    assert "/portal/sites/here/map" in here


def test_the_map_draws_each_node_and_says_it_in_words(sites):
    sites.made("POST", "/v1/nodes/far-03/drain", sites.operator)
    text = browser(sites, sites.operator).get("/sites/far%20%26%20away/map").text
    assert text.count("<title>far-") == 16
    assert text.count('class="node node-idle" x=') == 15 + 1, "and one in the legend"
    assert re.search(r'aria-label="2 racks, 8 nodes, 0.?% allocated, 1 out of use"', text)
    assert len(re.findall(r'<th scope="row">rack-0\d</th>', text)) == 4
    assert "badge-simulated" in text
    assert "style=" not in text


def test_a_large_site_is_drawn_hall_by_hall(sites, monkeypatch):
    halls = [replace(node, hall=f"hall {number // 8}") for number, node in enumerate(FAR.nodes)]
    assert apply_site_changes(sites.application, [SITE, replace(FAR, nodes=tuple(halls))])
    monkeypatch.setattr(pages_of_sites, "DRAWN_MAX", 15)
    first = browser(sites, sites.operator).get("/sites/far%20%26%20away/map").text
    assert (first.count("<title>far-"), 'href="?hall=hall%201"' in first) == (8, True)
    second = browser(sites, sites.operator).get("/sites/far%20%26%20away/map?hall=hall%201").text
    assert ("<title>far-08" in second, "<title>far-07" in second) == (True, False)


@pytest.mark.parametrize("hall", ["zz", "hall-1", "%00"])
def test_the_map_of_a_hall_that_is_not_there(sites, hall):
    page = browser(sites, sites.operator).get(f"/sites/far%20%26%20away/map?hall={hall}")
    assert (page.status_code, "has no hall" in page.text, "It has hall-01" in page.text) == (404, True, True)
    answer = sites.call("GET", f"/v1/sites/far%20%26%20away/map?hall={hall}", sites.operator)
    assert (answer.status_code, answer.json()["reason"], "has no hall" in answer.json()["detail"]) == (404, "NOT_FOUND", True)
    assert sites.made("GET", "/v1/sites/far%20%26%20away/map?hall=hall-01", sites.operator)["halls"][0]["rows"]


def test_the_map_of_a_site_that_is_not_there(sites):
    assert browser(sites, sites.operator).get("/sites/nowhere/map").status_code == 404


@pytest.mark.parametrize(
    ("condition", "permille", "drawn"),
    [
        ("idle", 0, "idle"),
        ("busy", 0, "level-1"),
        ("busy", 1, "level-1"),
        ("busy", 250, "level-1"),
        ("busy", 251, "level-2"),
        ("busy", 999, "level-4"),
        ("full", 1000, "full"),
        ("drained", 400, "drained"),
    ],
)
def test_a_node_is_drawn_by_its_share_rounded_up(condition, permille, drawn):
    assert node_class({"condition": condition, "allocated_permille": permille}) == drawn
