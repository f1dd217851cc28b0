"""Stranded GPUs: what is free and of no use to whom, in GPUs and euro, worked out by hand."""

from eisbach.app import stranded_gpus
from eisbach.app.site_facts import NodeFacts
from eisbach.core.capacity.topology import Level
from tests.app.factory import a_job, a_site, new_factory

PRICE = 3_600_000


def gpu_node(name, hall="hall-1", rack="rack-1"):
    return NodeFacts(
        node=name, pool="h200", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4, hall=hall, row="row-1", rack=rack
    )


def a_factory(tmp_path, *nodes):
    return new_factory(tmp_path, site=a_site(*nodes), budget_eur=10_000)


def work(gpus, nodes=1, **more):
    return a_job("sleep 1000", nodes=nodes, gpus=gpus, flavour="h200", **more)


def test_an_empty_factory_strands_nothing(tmp_path):
    found = a_factory(tmp_path, gpu_node("a"), gpu_node("b")).ask(stranded_gpus.question())
    assert (found["asked"], found["tasks"]) == ("nothing", 0)
    (pool,) = found["pools"]
    assert (pool["free_gpu_milli"], pool["stranded_gpu_milli"], pool["lost_hour"]) == (8000, 0, 0)
    assert pool["simulated"] is True


def test_gpus_that_are_too_few_for_who_waits_are_stranded(tmp_path):
    factory = a_factory(tmp_path, gpu_node("a"), gpu_node("b"))
    for _ in range(2):
        factory.submit(work(3))
    factory.submit(work(4))
    found = factory.ask(stranded_gpus.question())
    assert (found["asked"], found["tasks"]) == ("waiting", 1)
    (pool,) = found["pools"]
    assert (pool["free_gpu_milli"], pool["stranded_gpu_milli"], pool["lost_hour"]) == (2000, 2000, 2 * PRICE)


def test_what_waits_counts_as_often_as_it_comes(tmp_path):
    factory = a_factory(tmp_path, gpu_node("a"))
    factory.submit(work(3))
    for gpus, nodes in ((2, 1), (4, 1), (2, 1), (2, 1)):
        factory.submit(work(gpus, nodes))
    (pool,) = factory.ask(stranded_gpus.question())["pools"]
    assert (pool["free_gpu_milli"], pool["stranded_gpu_milli"]) == (1000, 1000), "no task that waits can have the last one"


def test_cores_that_are_gone_strand_the_gpus_beside_them(tmp_path):
    factory = a_factory(tmp_path, gpu_node("a"))
    factory.submit(a_job("sleep 1000", cpus=8))
    factory.submit(work(1))
    (pool,) = factory.ask(stranded_gpus.question())["pools"]
    assert (pool["free_gpu_milli"], pool["stranded_gpu_milli"]) == (4000, 4000)


def test_where_nobody_waits_the_tasks_that_run_say_what_is_usual(tmp_path):
    factory = a_factory(tmp_path, gpu_node("a"))
    factory.submit(work(3))
    found = factory.ask(stranded_gpus.question())
    assert (found["asked"], found["pools"][0]["stranded_gpu_milli"]) == ("running", 1000)


def test_it_is_told_by_domain_too(tmp_path):
    factory = a_factory(tmp_path, gpu_node("a"), gpu_node("b", hall="hall-2"), gpu_node("c", hall="hall-2", rack="rack-2"))
    factory.submit(work(3))
    halls = factory.ask(stranded_gpus.question())["domains"]
    assert [(one["nodes"], one["stranded_gpu_milli"]) for one in halls] == [(1, 1000), (2, 2000)]
    racks = factory.ask(stranded_gpus.question(Level.RACK))["domains"]
    assert [one["nodes"] for one in racks] == [1, 1, 1]
    assert sum(one["lost_hour"] for one in racks) == sum(one["lost_hour"] for one in halls) == 3 * PRICE
