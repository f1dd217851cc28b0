"""Work that takes parts of GPUs, in the figures of the factory: parts are added up, they are not whole ones."""

from eisbach.app import map_halls, observe_use
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import NodeShape
from tests.app.factory import a_job, a_site, new_factory


def test_two_halves_of_a_gpu_are_one_that_is_allocated_and_sold(tmp_path):
    """Each was counted as a whole one: more was allocated than there is, and a node with room was called full."""
    node = NodeFacts(node="n0", pool="p", flavour="h200.2", cpu_milli=8000, memory_mib=16_384, gpus=2, hall="h", row="w", rack="r0")
    factory = new_factory(tmp_path, site=a_site(node))
    half = NodeShape(cpu_milli=1000, memory_mib=64, gpus=1, flavour="h200.2", gpu_milli=500)
    spec = a_job("sleep 600")._replace(shapes=(half,))
    allocated, used, conditions = [], [], []
    for _ in range(4):
        factory.submit(spec)
        (use,) = (one for one in factory.call(observe_use.use_of) if one.resource == "gpu_milli")
        assert use.total == 2000
        used.append((use.sold, use.allocated))
        (hall,) = factory.ask(map_halls.question(factory.site.site))["halls"]
        allocated.append(hall["allocated_permille"])
        (inside,) = hall["rows"][0]["racks"][0]["inside"]
        conditions.append(inside["condition"])
    assert allocated == [250, 500, 750, 1000]
    assert used == [(nth, nth) for nth in (500, 1000, 1500, 2000)]
    assert conditions == ["busy", "busy", "busy", "full"]
