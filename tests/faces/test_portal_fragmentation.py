"""The portal's page of fragmentation: what is free and in pieces, by hall, row and rack, in GPUs and euro, for those who run the factory."""

import re

import pytest
from msgspec.structs import replace

from eisbach.app.commands import Decision
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.publish_prices import price_changes
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.portal.pages import fragmentation
from tests.faces.factory_world import EURO, SITE, TARIFF
from tests.faces.portal_world import browser

HALLS = SiteFacts(
    site="halls",
    country="DE",
    operator="Example",
    operator_country="DE",
    nodes=tuple(
        NodeFacts(
            node=f"gpu-{number}", pool="halls-b200", flavour="b200.8", cpu_milli=112_000, memory_mib=2_097_152, gpus=8,
            hall="hall-01", row="row-01", rack=f"rack-0{number // 2 + 1}",
        )
        for number in range(4)
    ),
    is_simulated=True,
)  # fmt: skip
CELLS = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


@pytest.fixture
def halls(world):
    """A factory with four simulated nodes of 8 GPUs at 2 EUR an hour; 3 GPUs of one are held, and a gang of four whole nodes waits."""
    assert apply_site_changes(world.application, [SITE, HALLS])
    dearer = replace(TARIFF, version="test-2", gpu_hour={"b200": 2 * EURO})

    def publish(state, context):
        return Decision(events=tuple(price_changes(state, [dearer], context.now, lambda version: False)), reply={})

    world.application.perform(publish).result()
    for name, gpus, nodes in (("part", 3, 1), ("whole", 8, 4)):
        task = {"name": name, "run": "true", "num_nodes": nodes, "time_limit": "5m", "placement": {"sites": ["halls"]}, "resources": {"accelerators": f"B200:{gpus}"}}
        world.made("POST", f"/v1/projects/{world.ours.project}/jobs", world.ours.tokens["member"], json={"task": task})
    world.settle()
    return world


def rows_of(text):
    rows = [[re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip() for cell in CELLS.findall(row)] for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    return {row[0]: row[1:] for row in rows if row}


def test_what_is_in_pieces_and_stranded_is_told_in_gpus_and_euro(halls):
    page = browser(halls, halls.operator).get("/fragmentation")
    assert page.status_code == 200, page.text
    rows = rows_of(page.text)
    assert rows["halls simulated"] == ["b200.8", "32", "29", "5", "10.00 EUR", "0", "0", "0"], "the others are promised to the gang that waits"
    assert rows["halls-b200 simulated"] == rows["halls/hall-01 simulated"] == ["halls", "32", "29", "5", "10.00 EUR"]
    assert "no spot moved aside" in page.text
    assert 'href="/portal/fragmentation" aria-current="page"' in page.text


@pytest.mark.parametrize(("level", "places"), [("rack", ["halls/hall-01/row-01/rack-01", "halls/hall-01/row-01/rack-02"]), ("row", ["halls/hall-01/row-01"]), ("hall", ["halls/hall-01"])])
def test_it_is_told_by_the_places_that_were_asked_for(halls, level, places):
    text = browser(halls, halls.operator).get(f"/fragmentation?level={level}").text
    rows = rows_of(text)
    assert [name.removesuffix(" simulated") for name in rows if name.startswith("halls/")] == places
    assert sum(float(row[3]) for name, row in rows.items() if name.startswith("halls/")) == 5
    assert f'href="?level={level}" aria-current="true"' in text


def test_the_places_that_lose_most_are_shown_where_there_are_many(halls, monkeypatch):
    monkeypatch.setattr(fragmentation, "ROWS_MAX", 1)
    text = browser(halls, halls.operator).get("/fragmentation?level=rack").text
    assert [name for name in rows_of(text) if name.startswith("halls/")] == ["halls/hall-01/row-01/rack-01 simulated"]
    assert "1 more place loses less." in text


def test_a_level_that_is_none_is_refused(halls):
    page = browser(halls, halls.operator).get("/fragmentation?level=x")
    assert (page.status_code, "no level" in page.text) == (422, True)


def test_it_is_told_in_german_and_where_there_is_nothing_too(halls, shared_world):
    text = browser(halls, halls.operator, "de").get("/fragmentation").text
    for said in ("Was in Stücken brachliegt", "Gestrandet: frei und für die Aufgaben, die auf GPUs warten", "Halle", "10,00"):
        assert said in text
    assert "There are no GPUs here." in browser(shared_world, shared_world.operator).get("/fragmentation").text


def test_customers_are_not_led_there(halls):
    seen = browser(halls, halls.ours.tokens["admin"])
    assert "/portal/fragmentation" not in seen.get("/").text
    assert seen.get("/fragmentation").status_code == 403
