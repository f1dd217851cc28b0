"""Thirty virtual days in which three segments always have more work than fits: the GPU-hours follow the shares.

The same application as live, under the default policy: gangs, single nodes and something between, of unlike lengths.
"""

import pytest

from eisbach.app import set_shares
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.jobs.request import NodeShape
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.twin.run import run
from eisbach.twin.workload import Work
from eisbach.twin.world import World

SHAPE = NodeShape(cpu_milli=96_000, memory_mib=800_000, gpus=8, flavour="b200.8")
WEIGHTS = {"research": 50, "enterprise": 30, "public": 20}
SIZES = {"research": (8, 12), "enterprise": (1, 3), "public": (3, 7)}
"""segment -> nodes and hours of its jobs"""
DAYS = 30


def a_world(nodes: int) -> World:
    facts = [
        NodeFacts(node=f"n{number}", pool="p", flavour="b200.8", cpu_milli=96_000, memory_mib=800_000, gpus=8, rack=f"r{number // 8}")
        for number in range(nodes)
    ]
    world = World(
        [SiteFacts(site="s", country="DE", operator="Test", operator_country="DE", nodes=tuple(facts), is_simulated=True)]
    )
    for segment, weight in WEIGHTS.items():
        world.add_customer(segment, segment)
        world.perform(set_shares.set_share(SYSTEM, owner=segment, weight=weight))
    return world


def parts_after_a_month(nodes: int) -> dict[str, float]:
    """Return the part of the GPU-time that each segment had, in percent."""
    world = a_world(nodes)
    works = []
    for segment, (gang, hours) in SIZES.items():
        jobs = nodes * DAYS * 24 * (WEIGHTS[segment] + 20) // 100 // (gang * hours)  # more than is due, whatever the others do
        for number in range(jobs):
            length = hours * HOUR_MS * (80 + number % 41) // 100
            works.append(Work(
                job=f"{segment}-{number}", customer=segment, submit_ms=0, nodes=gang, shape=SHAPE,
                duration_ms=length, limit_ms=length * 2,
            ))  # fmt: skip
    run(world, works, until_ms=world.now + DAYS * DAY_MS)
    state = world.state
    held = {name: state.gpu_milli_ms.get(project, 0) for name, project in world.projects.items()}
    assert sum(held.values()) >= nodes * 8000 * DAYS * DAY_MS * 80 // 100, "the factory was busy"
    assert all(any(job.project == project for job in state.scheduler.jobs.values()) for project in world.projects.values())
    return {name: 100 * had / sum(held.values()) for name, had in held.items()}


def test_a_month_of_unlike_work_follows_the_shares():
    parts = parts_after_a_month(24)
    assert {name: round(part - WEIGHTS[name], 1) for name, part in parts.items() if abs(part - WEIGHTS[name]) > 2} == {}


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_a_month_of_a_larger_factory_follows_the_shares():
    parts = parts_after_a_month(96)
    assert {name: round(part - WEIGHTS[name], 1) for name, part in parts.items() if abs(part - WEIGHTS[name]) > 2} == {}
