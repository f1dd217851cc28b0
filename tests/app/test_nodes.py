"""Nodes are drained and taken back, the site file and the price list change between two starts."""

import pytest
from msgspec.structs import replace

from eisbach.app import cancel_job, drain_node, list_offers, observe_factory
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.asking import why
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of

N1 = NodeFacts(node="n1", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=8192)
N2 = NodeFacts(node="n2", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=8192)
G1 = NodeFacts(node="g1", pool="p", flavour="h200.2", cpu_milli=4000, memory_mib=8192, gpus=2)


@pytest.fixture
def two(tmp_path):
    """A factory of two equal nodes."""
    return new_factory(tmp_path, site=a_site(N1, N2))


def drain(factory, node, *, drained=True, stop_work=False):
    return factory.perform(drain_node.command(SYSTEM, node=node, drained=drained, stop_work=stop_work))


def change_site(factory, *nodes, **more):
    factory.site = replace(factory.site, nodes=nodes or factory.site.nodes, **more)
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [factory.site])))


def kinds(factory, since=0):
    return [sealed.kind for sealed in events_of(factory)[since:]]


def test_a_drained_node_takes_nothing_and_what_runs_there_ends_by_itself(two):
    job = two.submit(a_job("sleep 60", cpus=4))
    assert drain(two, "n1") == {"node": "n1", "drained": True, "attempts_on_it": 1}
    waiting = [two.submit(a_job("sleep 60", cpus=4)) for _ in range(2)]
    assert [two.attempts(one)[0]["nodes"] for one in waiting[:1]] == ["n2"]
    two.pass_time(60 * SECOND_MS)
    assert two.job(job)["outcome"] == "succeeded"
    assert two.attempts(waiting[1])[0]["nodes"] == "n2", "the second one waited for n2, n1 was free"
    check_all(two)


def test_work_that_is_asked_to_go_is_retried_elsewhere_at_our_cost(two):
    job = two.submit(a_job("sleep 60", cpus=4, grace_s=30))
    two.pass_time(30 * SECOND_MS)
    drain(two, "n1", stop_work=True)
    rows = two.attempts(job)
    assert [(row["nodes"], row["fault"], row["reason"], row["charged"]) for row in rows[:1]] == [("n1", "operator", "NODE_DRAINED", 0)]
    assert (rows[1]["nodes"], rows[1]["state"]) == ("n2", "running")
    two.pass_time(60 * SECOND_MS)
    assert two.job(job)["charged_ms"] == 60_000
    check_all(two)


def test_draining_again_and_taking_back(two):
    drain(two, "n1")
    drain(two, "n2")
    size = two.store.log_size()
    drain(two, "n1")
    assert two.store.log_size() == size, "nothing changed, nothing is written"
    job = two.submit(a_job("sleep 60"))
    answer = why(two, job)
    assert (answer["reason"], answer["start_estimated_ms"]) == ("NODES_UNAVAILABLE", None)
    assert "drained" in answer["text"]
    drain(two, "n2", drained=False)
    assert two.attempts(job)[0]["nodes"] == "n2"


def test_a_gang_that_needs_a_drained_node_says_so(two):
    drain(two, "n2")
    gang = two.submit(a_job(nodes=2, cpus=4))
    assert why(two, gang)["reason"] == "NODES_UNAVAILABLE"


@pytest.mark.parametrize("node", ["n9", "gone"])
def test_unknown_and_removed_nodes_are_refused(tmp_path, node):
    factory = new_factory(tmp_path, site=a_site(N1, replace(N2, node="gone")))
    change_site(factory, N1)
    answer = drain(factory, node)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NOT_FOUND


# ---- offers ------------------------------------------------------------------------------------------------------


def test_offers_show_what_is_free_what_it_costs_and_where(tmp_path):
    factory = new_factory(tmp_path, site=a_site(N1, N2, G1))
    factory.submit(a_job("sleep 60", cpus=1, gpus=1, flavour="h200"))
    drain(factory, "n2")
    said = factory.ask(list_offers.question())
    assert (said["tariff"], said["core_hour"], said["memory_gib_hour"]) == ("test-1", 36_000, 3_600)
    cpu, gpu = said["offers"]
    assert (cpu["flavour"], cpu["nodes"], cpu["drained"], cpu["free_cpu_milli"], cpu["gpu_hour"]) == ("cpu", 2, 1, 4000, None)
    assert (gpu["flavour"], gpu["free_gpus"], gpu["gpus"], gpu["gpu_hour"]) == ("h200.2", 1, 2, 3_600_000)
    (place,) = gpu["places"]
    assert (place["site"], place["country"], place["operator"], place["simulated"]) == ("here", "DE", "Test", True)


def test_nodes_and_figures_of_the_factory(two):
    attempt = two.submit(a_job("sleep 60", cpus=3)) and next(iter(two.app.applier.state.scheduler.holding))
    loads = two.ask(observe_factory.loads(["n1", "n2", "n3"]))
    assert list(loads) == ["n1", "n2"], "nobody knows n3"
    n1, n2 = loads.values()
    assert (n1["free_cpu_milli"], n1["condition"], n1["allocated_permille"], n1["attempts"]) == (1000, "busy", 750, [attempt])
    assert (n2["free_cpu_milli"], n2["condition"], n2["allocated_permille"], n2["attempts"]) == (4000, "idle", 0, [])
    said = []
    two.run_rounds(Round("look", 1, lambda app: said.append((observe_factory.status(app), observe_factory.metrics(app)))))
    status, metrics = said[0]
    assert (status["jobs"]["running"], status["queued"], status["failure"]) == (1, 0, "")
    assert ("eisbach_capacity_free", {"resource": "cpu_milli", "simulated": "true"}, 5000) in metrics
    assert ("eisbach_capacity", {"resource": "cpu_milli", "simulated": "false"}, 0) in metrics


# ---- opening again -----------------------------------------------------------------------------------------------


def test_a_restart_with_the_same_files_declares_nothing(two):
    size = two.store.log_size()
    again = two.restart()
    assert kinds(again, size) == ["server.started"]
    assert again.app.epoch == two.app.epoch + 1


def test_a_node_that_changes_while_it_is_idle_changes_at_once(two):
    again = two.restart(site=a_site(replace(N1, cpu_milli=2000), N2))
    assert again.app.applier.state.scheduler.fleet.nodes["n1"].cpu_milli == 2000
    assert again.store.row("nodes", "n1")["cpu_milli"] == 2000
    check_all(again)


def test_a_node_that_changes_while_it_is_in_use_is_drained_first(two):
    job = two.submit(a_job("sleep 60", cpus=4))
    two.pass_time(10 * SECOND_MS)
    again = two.restart(site=a_site(replace(N1, cpu_milli=2000), N2))
    assert again.store.row("nodes", "n1")["drained"] is True
    assert again.store.row("nodes", "n1")["cpu_milli"] == 4000
    again.pass_time(60 * SECOND_MS)
    assert again.job(job)["outcome"] == "succeeded"
    change_site(again)
    row = again.store.row("nodes", "n1")
    assert (row["cpu_milli"], row["drained"]) == (2000, False)
    check_all(again)


def test_a_node_that_left_the_file_is_removed_and_may_come_back(two):
    change_site(two, N1)
    assert two.store.row("nodes", "n2")["removed"] is True
    assert two.ask(list_offers.question())["offers"][0]["nodes"] == 1
    change_site(two, N1, N2)
    row = two.store.row("nodes", "n2")
    assert (row["removed"], row["drained"]) == (False, False)
    size = two.store.log_size()
    change_site(two)
    assert two.store.log_size() == size
    check_all(two)


def test_a_new_node_starts_what_waited_for_it(two):
    gang = two.submit(a_job("sleep 60", nodes=2, cpus=4))
    late = two.submit(a_job("sleep 60", cpus=4))
    change_site(two, N1, N2, replace(N1, node="n3"))
    assert two.attempts(late)[0]["nodes"] == "n3"
    assert two.job(gang)["state"] == "running"


def test_a_site_that_moves_to_another_operator_says_so_in_the_log(two):
    change_site(two, country="AT", operator="Other", operator_country="AT")
    row = two.store.row("sites", "here")
    assert (row["country"], row["operator"]) == ("AT", "Other")
    assert kinds(two)[-1] == "site.changed"
    check_all(two)


def test_an_operator_who_was_sold_abroad_says_so_in_the_log(two):
    assert two.store.row("sites", "here")["parent_country"] == "DE", "left out, it is the operator's own"
    change_site(two, parent_country="US")
    assert two.store.row("sites", "here")["parent_country"] == "US"
    assert two.app.applier.state.sites["here"].parent_country == "US"
    assert kinds(two)[-1] == "site.changed"
    check_all(two)


def test_a_node_that_moves_to_another_rack_is_changed_once_it_is_idle(two):
    two.submit(a_job("sleep 60", cpus=4))
    moved = replace(N1, hall="hall-01", row="row-02", rack="rack-07")
    change_site(two, moved, N2)
    assert two.store.row("nodes", "n1")["rack"] == "", "it is in use: drained first"
    two.pass_time(60 * SECOND_MS)
    change_site(two)
    row = two.store.row("nodes", "n1")
    assert (row["hall"], row["row"], row["rack"], row["drained"]) == ("hall-01", "row-02", "rack-07", False)
    check_all(two)


def versions(factory):
    return [row["version"] for row in reversed(factory.store.rows("tariffs", {}).rows)]


def test_other_prices_hold_for_what_is_submitted_from_now_on(two):
    spec = a_job("sleep 3600", cpus=4, memory_mib=0)
    before = two.submit(spec)
    again = two.restart(tariff=replace(TARIFF, version="test-2", core_hour=72_000))
    after = again.submit(spec)
    again.pass_time(3600 * SECOND_MS)
    assert [again.job(job)["charged"] for job in (before, after)] == [4 * 36_000, 4 * 72_000]
    assert [again.job(job)["tariff"] for job in (before, after)] == ["test-1", "test-2"]


def test_a_version_is_published_once_whatever_its_prices_become(two):
    """Back to an earlier version, or new prices under one: its row was there already and the factory did not open."""
    dearer = replace(TARIFF, core_hour=72_000)
    factory = two
    for tariff in (dearer, replace(TARIFF, version="test-2"), TARIFF, TARIFF, dearer, dearer):
        factory = factory.restart(tariff=tariff)
    published = versions(factory)
    assert len(published) == len(set(published)) == 5
    assert all(one == "test-2" or one.partition("+")[0] == "test-1" for one in published)
    assert factory.app.applier.state.prices.at(factory.clock.now()).core_hour == 72_000
    check_all(factory)


def test_a_version_with_a_plus_is_not_published_at_each_start(tmp_path):
    factory = new_factory(tmp_path)
    factory = factory.restart(tariff=replace(TARIFF, version="2026+de"))
    again = factory.restart(tariff=replace(TARIFF, version="2026+de"))
    assert sorted(versions(again)) == ["2026+de", "test-1"]


def test_a_job_whose_nodes_left_the_site_ends_and_frees_its_money(tmp_path):
    factory = new_factory(tmp_path, site=a_site(N1, G1))
    job = factory.submit(a_job("true", gpus=2, flavour="H200"))
    waiting = [factory.submit(a_job("sleep 100", gpus=2, flavour="H200", name=f"next-{n}")) for n in range(2)]
    assert factory.job(job)["outcome"] == "succeeded"
    drain(factory, "g1")
    assert factory.perform(cancel_job.command(SYSTEM, job=waiting[0]))["state"] == "stopping"
    change_site(factory, N1)
    ended = []
    factory.run_rounds(Round("refuse-late", 1, lambda app: ended.append(refuse_late(app))))
    assert factory.job(waiting[1])["outcome"] == "refused_late"
    assert factory.job(waiting[1])["reason"] == "MORE_THAN_THE_SITE"
    factory.run_rounds(Round("refuse-late", 1, lambda app: ended.append(refuse_late(app))))
    assert ended == [1, 0]
    check_all(factory)


def test_what_a_person_drained_stays_drained_when_the_site_file_changes_it(two):
    drain(two, "n1")
    changed = replace(N1, cpu_milli=2000)
    change_site(two, changed, N2)
    node = two.app.applier.state.scheduler.fleet.nodes["n1"]
    assert (node.cpu_milli, node.drained) == (2000, True)
    assert two.app.reader.row("nodes", "n1")["drained"]
    check_all(two)
