"""Energy over the API, the command line's figures and the portal: what a customer and an operator see of it."""

import json

import pytest

from eisbach.app import meter_energy
from eisbach.app.site_facts import SiteFacts
from eisbach.cli import energy_figures
from tests.app.test_energy import an_equipped_site
from tests.faces.factory_world import SITE
from tests.faces.portal_world import browser


@pytest.fixture
def equipped(world):
    """The factory's site with a plant, metered while a job ran for ten minutes on all of it."""
    plant = an_equipped_site(*SITE.nodes)
    fields = ("power", "stream", "heat", "carbon")
    known = {name: getattr(SITE, name) for name in SITE.__struct_fields__ if name not in fields}
    facts = SiteFacts(**known, **{name: getattr(plant, name) for name in fields})
    world.application.sites = {"here": facts}
    world.job = world.submit(world.ours, name="lathe", resources={"cpus": 32})
    attempt = world.engine.attempt_of(world.job)
    world.engine.run(attempt, world.clock.now())
    world.settle()
    since = world.clock.now()
    world.clock.advance(600_000)
    world.engine.end(attempt, since, 600_000)
    world.settle()
    meter_energy.meter_energy(world.application, now=True)
    return world


def test_a_customer_reads_what_a_job_drew(equipped):
    found = equipped.made("GET", f"/v1/jobs/{equipped.job}/energy", equipped.ours.tokens["viewer"])
    assert found["is_complete"]
    assert found["label"] == "modelled"
    assert found["total_mj"] == found["own_mj"] + found["idle_mj"] + found["overhead_mj"] > 0
    assert min(found["own_mj"], found["idle_mj"], found["overhead_mj"]) > 0
    assert found["total_kwh"].count(".") == 1
    assert (found["carbon_location_mg"], found["carbon_market_mg"]) == (found["carbon_location_mg"], 0)
    assert sum(one["own_mj"] for one in found["intervals"]) == found["own_mj"]


def test_a_job_that_still_runs_says_that_its_account_is_open(world):
    found = world.made("GET", f"/v1/jobs/{world.ours.running_job}/energy", world.ours.tokens["viewer"])
    assert (found["is_complete"], found["label"], found["carbon_location_mg"]) == (False, "", None)


def test_the_statement_of_a_month_has_each_job_and_the_check(equipped):
    found = equipped.made("GET", f"/v1/projects/{equipped.ours.project}/energy", equipped.ours.tokens["admin"])
    assert equipped.job in [one["job"] for one in found["jobs"]]
    assert sum(one["total_mj"] for one in found["jobs"]) == found["total_mj"]
    assert found["sites"] == [{"site": "here", "is_exact": True}]
    assert "EnEfG" in found["law"]
    other = equipped.made("GET", f"/v1/projects/{equipped.theirs.project}/energy", equipped.theirs.tokens["admin"])
    assert equipped.job not in json.dumps(other), "nobody sees what others drew"


def test_a_site_shows_its_hours_its_figures_and_that_the_parts_are_the_meter(equipped):
    found = equipped.made("GET", "/v1/sites/here/energy?hours=24", equipped.ours.tokens["viewer"])
    assert found["check"]["is_exact"]
    parts = ("jobs_mj", "operator_idle_mj", "operator_overhead_mj")
    assert sum(found["check"][name] for name in parts) == found["check"]["meter_mj"] > 0
    assert float(found["pue"]) > 1
    assert found["ref"] == "1.000"
    assert found["erf"] is None, "no quarter takes heat: not measured, not 0"
    assert found["hours"][0]["label"] == "modelled"
    assert found["now"]["plant"]["stream"] == "a stream"
    assert len(found["outlook"]["hours"]) == 25
    assert found["outlook"]["label"] == "modelled"


def test_a_site_without_a_plant_measures_nothing_that_it_cannot(world):
    meter_energy.meter_energy(world.application, now=True)
    found = world.made("GET", "/v1/sites/here/energy", world.ours.tokens["viewer"])
    assert [found[name] for name in ("pue", "wue_l_per_kwh", "erf", "ref")] == [None] * 4
    assert found["outlook"]["hours"] == []


@pytest.mark.parametrize("site", ["nowhere", "%2e%2e", "here%00"])
def test_absent_sites_are_absent(world, site):
    assert world.call("GET", f"/v1/sites/{site}/energy", world.operator).status_code == 404
    assert world.call("POST", f"/v1/sites/{site}/cap", world.operator, json={"kw": 5}).status_code == 404


def test_an_operator_caps_and_lifts(equipped):
    capped = equipped.made("POST", "/v1/sites/here/cap", equipped.operator, json={"kw": 51})
    assert capped["racks_mw"] > 0
    found = equipped.made("GET", "/v1/sites/here/energy", equipped.operator)
    assert [one["cause"] for one in found["now"]["caps"]] == ["operator"]
    assert equipped.made("POST", "/v1/sites/here/cap", equipped.operator, json={"kw": None})["racks_mw"] is None


@pytest.mark.parametrize("body", [{}, {"kw": "5"}, {"kw": -1}, {"kw": 1e300}, {"kw": 5, "until_ms": 1}, {"kw": True}])
def test_caps_that_cannot_be_are_refused(world, body):
    assert world.call("POST", "/v1/sites/here/cap", world.operator, json=body).status_code == 422


def test_the_portal_shows_power_stream_and_figures_with_their_labels(equipped):
    seen = browser(equipped, equipped.ours.tokens["viewer"])
    assert "/portal/sites/here/energy" in seen.get("/energy").text
    text = seen.get("/sites/here/energy").text
    for said in ("modelled", "PUE", "a stream above the site", "Permit", "exact", 'data-plot="power-spec"', 'data-plot="stream-spec"'):
        assert said in text
    assert 'data-plot="heat-spec"' not in text, "no quarter takes heat"
    assert "Set the cap" not in text, "that is the operator's"
    assert "Energy" in seen.get(f"/jobs/{equipped.job}").text


def test_an_operator_caps_in_the_portal(equipped):
    seen = browser(equipped, equipped.operator, language="de")
    page = seen.get("/sites/here/energy")
    answer = seen.send(page, "/sites/here/cap", kw="51,5", hours="2")
    assert answer.status_code == 303, answer.text
    assert "begrenzt" in seen.get("/sites/here/energy").text
    refused = seen.send(seen.get("/sites/here/energy"), "/sites/here/cap", kw="viel")
    assert refused.status_code == 422
    assert "viel" in refused.text
    for hours in ("2.5", "²", "0", "9" * 5000):
        answer = seen.send(seen.get("/sites/here/energy"), "/sites/here/cap", kw="50", hours=hours)
        assert answer.status_code == 422, "a mistyped end is not no end"
    lifted = seen.send(seen.get("/sites/here/energy"), "/sites/here/cap", lift="yes")
    assert lifted.status_code == 303
    assert equipped.application.applier.state.energy.caps == {}


def test_amounts_read_well():
    assert energy_figures.kwh(None) == "not measured"
    assert [energy_figures.kwh(mj) for mj in (36_000, 3_600_000_000, 7_200_000_000_000)] == ["0.000010", "1.00", "2,000"]
    assert [energy_figures.kilowatt(mw) for mw in (8_000, 1_500_000, 2_800_000_000)] == ["8 W", "1.50 kW", "2.80 MW"]
    assert [energy_figures.carbon(mg) for mg in (None, 4, 4_000, 20_890_000)] == ["unknown", "4 mg", "4.00 g", "20.89 kg"]
