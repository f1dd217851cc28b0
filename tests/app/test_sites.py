"""Several sites in one factory: what is where, under whose law, and what of it is simulated."""

from dataclasses import replace

import pytest
from msgspec import structs

from eisbach.app import drain_node, list_offers, list_sites, map_halls, quote_job, submit_job
from eisbach.app.commands import SYSTEM
from eisbach.app.observe_use import busy_of, use_of
from eisbach.app.open_factory import apply_site_changes, changed_nature
from eisbach.app.report_cost import of_job
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all

HERE = a_site(NodeFacts(node="n1", pool="here-cpu", flavour="cpu", cpu_milli=4000, memory_mib=8192), simulated=False)


def racked(number, *, per_rack=2):
    """A GPU node in its place: two to a rack, two racks to a row, two rows to a hall."""
    rack = number // per_rack
    place = {"hall": f"hall-{rack // 4 + 1}", "row": f"row-{rack // 2 % 2 + 1}", "rack": f"rack-{rack % 2 + 1}"}
    return NodeFacts(
        node=f"g{number:02}", pool="far-h200", flavour="h200.8", cpu_milli=64_000, memory_mib=65_536, gpus=8, **place
    )


FAR_CPU = NodeFacts(node="c1", pool="far-cpu", flavour="cpu", cpu_milli=1000, memory_mib=2048)
FAR = SiteFacts(
    site="far",
    country="DE",
    operator="Example Far",
    operator_country="IE",
    parent_country="US",
    nodes=tuple(racked(number) for number in range(10)),
    is_simulated=True,
)


@pytest.fixture
def both(tmp_path):
    """A factory with a real site of one node and a simulated one of ten with GPUs."""
    factory = new_factory(tmp_path, site=HERE)
    declare(factory, HERE, FAR)
    return factory


def declare(factory, *sites):
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, sites)))


def gpu_job(run="sleep 60", **more):
    return a_job(run, **{"gpus": 8, "flavour": "h200", "cpus": 8, "placement": PlacementRule(sites=("far",)), **more})


def test_each_site_says_where_it_is_and_what_stands_there(both):
    here, far = both.ask(list_sites.question())
    assert (here["site"], here["country"], here["parent_country"], here["simulated"], here["nodes"]) == ("here", "DE", "DE", False, 1)
    assert (far["country"], far["operator_country"], far["parent_country"], far["simulated"]) == ("DE", "IE", "US", True)
    assert (far["nodes"], far["gpus"], far["free_gpus"], far["halls"], far["racks"]) == (10, 80, 80, 2, 5)
    assert far["flavours"] == [{"flavour": "h200.8", "nodes": 10}]
    assert both.ask(list_sites.question_of("far")) == far
    assert both.ask(list_sites.question_of("nowhere")) is None
    check_all(both)


def test_a_flavour_is_offered_once_for_each_of_its_sites(both):
    declare(both, HERE, structs.replace(FAR, nodes=(*FAR.nodes, FAR_CPU)))
    offers = both.ask(list_offers.question())["offers"]  # the real one first
    assert [(one["flavour"], one["places"][0]["site"], one["nodes"], one["places"][0]["simulated"]) for one in offers] == [
        ("cpu", "here", 1, False), ("cpu", "far", 1, True), ("h200.8", "far", 10, True),
    ]  # fmt: skip


def test_whatever_comes_from_a_simulated_site_says_so(both):
    real, simulated = both.submit(a_job("true")), both.submit(gpu_job("true"))
    assert [(both.job(job)["site"], both.job(job)["simulated"]) for job in (real, simulated)] == [("here", False), ("far", True)]
    assert [one["simulated"] for one in both.attempts(simulated)] == [True]
    cost = of_job(both.app.reader, simulated)
    assert (cost["site"], cost["simulated"], cost["attempts"][0]["simulated"]) == ("far", True, True)
    check_all(both)


def submission(factory, spec):
    return submit_job.command(SYSTEM, project=factory.project, spec=spec)


def test_nobodys_work_is_simulated_unasked(both):
    """Neither when the real site is full, nor when only a simulated one has it."""
    declare(both, HERE, structs.replace(FAR, nodes=(*FAR.nodes, FAR_CPU)))
    running, waiting = both.submit(a_job("sleep 60", cpus=4)), both.submit(a_job("sleep 60", cpus=4))
    assert [both.job(job)["site"] for job in (running, waiting)] == ["here", ""]
    refused = both.perform(submission(both, gpu_job(placement=NO_RULE)))
    assert (refused.reason, refused.values) == (Reason.ONLY_SIMULATED, {"sites": ["far"]})
    assert both.job(both.submit(a_job("true", placement=PlacementRule(sites=("far",)))))["simulated"] is True
    assert both.job(both.submit(a_job("true", placement=PlacementRule(sites=("far", "here")))))["state"] == "waiting"
    plan = both.ask(quote_job.question(project=both.project, spec=gpu_job(), by=SYSTEM.token))
    assert [(place["site"], place["simulated"]) for place in plan["places"]] == [("far", True)]
    check_all(both)


def test_slices_are_refused_where_no_engine_cuts_gpus_and_not_only_at_their_start(both):
    real_gpu = NodeFacts(node="real-1", pool="here-h200", flavour="h200.8", cpu_milli=64_000, memory_mib=65_536, gpus=8)
    declare(both, structs.replace(HERE, nodes=(*HERE.nodes, real_gpu)))
    half, slice_of_one = (replace(gpu_job(gpus=1).shapes[0], gpu_milli=milli, mig=mig) for milli, mig in ((500, ""), (142, "1g.18gb")))
    only_slice = gpu_job(placement=NO_RULE)._replace(shapes=(slice_of_one,))
    refused = both.perform(submission(both, only_slice))
    assert (refused.reason, "no GPU is cut into slices where it may run" in refused.what) == (Reason.NO_SUCH_FLAVOUR, True)
    job = both.submit(only_slice._replace(shapes=(slice_of_one, half)))
    assert (both.job(job)["site"], both.app.applier.state.scheduler.jobs[job].shapes[0].mig) == ("here", "")
    declare(both, structs.replace(HERE, nodes=(*HERE.nodes, real_gpu)), FAR)
    assert both.perform(submission(both, only_slice)).reason is Reason.ONLY_SIMULATED
    there = both.submit(only_slice._replace(placement=PlacementRule(sites=("far",))))
    (share,) = both.app.applier.state.scheduler.jobs[there].shares
    assert (share.mig, share.gpu_milli) == ("1g.18gb", 142)
    wrong = only_slice._replace(shapes=(replace(slice_of_one, mig="1g.23gb"),), placement=PlacementRule(sites=("far",)))
    assert "no GPU that is cut like that" in both.perform(submission(both, wrong)).what
    check_all(both)


def test_a_rule_that_leaves_only_simulated_sites_asks_for_one(both):
    declare(both, HERE, structs.replace(FAR, country="US", nodes=(*FAR.nodes, FAR_CPU)))
    assert both.job(both.submit(a_job("true", placement=PlacementRule(countries=("US",)))))["site"] == "far"


def test_what_is_sold_and_allocated_of_simulated_sites_stands_apart(both):
    both.submit(a_job("sleep 60"))
    both.submit(gpu_job())
    said = []
    both.run_rounds(Round("look", 1, lambda app: said.extend(use_of(app))))
    assert [(use.resource, use.is_simulated, use.total, use.sold, use.allocated) for use in said] == [
        ("cpu_milli", False, 4000, 1000, 1000), ("cpu_milli", True, 640_000, 8000, 8000), ("gpu_milli", True, 80_000, 8000, 8000),
    ]  # fmt: skip
    both.pass_time(60 * SECOND_MS)
    assert busy_of(both.app).attempts == 1, "nothing of simulated work was measured"


def test_a_job_that_waits_is_nowhere_yet(both):
    for _ in range(10):
        both.submit(gpu_job())
    waiting = both.submit(gpu_job())
    assert (both.job(waiting)["state"], both.job(waiting)["site"], both.job(waiting)["simulated"]) == ("waiting", "", False)


def test_a_gang_never_spans_sites(tmp_path):
    nodes = [NodeFacts(node=f"{site}1", pool=site, flavour="cpu", cpu_milli=4000, memory_mib=8192) for site in ("a", "b")]
    here, there = (structs.replace(a_site(node), site=f"site-{node.pool}") for node in nodes)
    factory = new_factory(tmp_path, site=here)
    declare(factory, here, there)
    assert factory.job(factory.submit(a_job("sleep 60", nodes=4)))["site"] == "site-a"
    assert factory.job(factory.submit(a_job("sleep 60", nodes=3)))["site"] == "site-b"
    refused = factory.perform(submission(factory, a_job(nodes=5)))
    assert refused.reason is Reason.MORE_THAN_THE_SITE
    check_all(factory)




def test_a_site_stays_real_or_simulated(both):
    """What ran there would be told wrong afterwards."""
    state = both.app.applier.state
    assert changed_nature(state, [HERE, FAR]) is None
    assert changed_nature(state, [HERE, structs.replace(FAR, is_simulated=False)]) == "far"
    assert changed_nature(state, [HERE, structs.replace(FAR, site="new", is_simulated=False)]) is None


# ---- the operator's map ------------------------------------------------------------------------------------------


def test_the_map_has_halls_rows_racks_and_nodes_in_their_order(both):
    found = both.ask(map_halls.question("far"))
    assert [hall["hall"] for hall in found["halls"]] == ["hall-1", "hall-2"]
    first, second = found["halls"]
    assert [(row["row"], [rack["rack"] for rack in row["racks"]]) for row in first["rows"]] == [
        ("row-1", ["rack-1", "rack-2"]), ("row-2", ["rack-1", "rack-2"]),
    ]  # fmt: skip
    assert [node["node"] for node in first["rows"][0]["racks"][1]["inside"]] == ["g02", "g03"]
    assert (first["nodes"], second["nodes"], found["nodes"], found["gpus"]) == (8, 2, 10, 80)
    assert {name: count for name, count in found["conditions"].items() if count} == {"idle": 10}
    assert found["simulated"] is True
    assert both.ask(map_halls.question("nowhere")) is None


def test_a_large_site_shows_one_hall_in_full_and_the_figures_of_all(both):
    whole, first, named = (
        both.ask(map_halls.question("far", **asked)) for asked in ({}, {"nodes_max": 9}, {"hall": "hall-2"})
    )
    assert [one["hall"] for one in (whole, first, named)] == [None, "hall-1", "hall-2"]
    assert first["halls"][0] == whole["halls"][0]
    assert [len(hall["rows"]) for hall in named["halls"]] == [0, 1]
    figures = ("nodes", "gpus", "held_gpus", "allocated_permille", "conditions")
    assert all(one[name] == whole[name] for one in (first, named) for name in figures)
    assert all(one["halls"][0][name] == whole["halls"][0][name] for one in (first, named) for name in figures)


def test_the_map_shows_what_is_allocated_and_what_is_drained(both):
    half = gpu_job(gpus=4)
    both.submit(gpu_job())
    attempt = both.app.applier.state.scheduler.jobs[both.submit(half)].attempt
    both.perform(drain_node.command(SYSTEM, node="g02", drained=True))
    found = both.ask(map_halls.question("far"))
    g0, g1 = found["halls"][0]["rows"][0]["racks"][0]["inside"]
    assert (g0["condition"], g0["allocated_permille"], g0["held_gpus"]) == ("full", 1000, 8)
    assert (g1["condition"], g1["allocated_permille"], g1["attempts"]) == ("busy", 500, [attempt])
    counts = {name: count for name, count in found["conditions"].items() if count}
    assert counts == {"cordoned": 1, "full": 1, "busy": 1, "idle": 7}, "what runs there may stay: nobody moves it"
    assert (found["held_gpus"], found["allocated_permille"]) == (12, 150)
    assert found["halls"][0]["rows"][0]["racks"][0]["allocated_permille"] == 750
    both.pass_time(60 * SECOND_MS)
    assert both.ask(map_halls.question("far"))["conditions"]["idle"] == 9


def test_a_node_without_gpus_is_allocated_as_far_as_its_scarcer_half(both):
    both.submit(a_job("sleep 60", cpus=1, memory_mib=6144))
    (hall,) = both.ask(map_halls.question("here"))["halls"]
    assert hall["hall"] == "", "nobody said where it stands"
    assert hall["rows"][0]["racks"][0]["inside"][0]["allocated_permille"] == 750
