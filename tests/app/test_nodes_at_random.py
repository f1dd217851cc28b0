"""Random stories of nodes alone: gangs, losses, drains, windows, restarts. No job is lost, nothing is where it may not be."""

import random
from collections.abc import Callable

import pytest

from eisbach.app import tend_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts
from eisbach.app.tend_nodes import Act
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass, JobSpec
from tests.app.factory import a_job
from tests.app.invariants import check_all, check_step
from tests.app.random_factory import RandomFactory

SEEDS = range(5)
MANY_SEEDS = range(100, 400)
STEPS = 60


class RestlessNodes(RandomFactory):
    """A factory of eight equal nodes in racks of two, on which little stays as it is."""

    def some_nodes(self) -> list[NodeFacts]:
        """Eight of them."""
        return [
            NodeFacts(node=f"n{nth}", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=16_384, hall="hall-1", rack=f"rack-{nth // 2}")
            for nth in range(8)
        ]

    def actions(self) -> dict[Callable[[], str], int]:
        """Work, time, and all that happens to nodes."""
        return {
            self.submit: 30,
            self.pass_time: 30,
            self.cancel: 3,
            self.lose: 5,
            self.lose_node: 6,
            self.repair: 8,
            self.tend_a_rack: 8,
            self.close: 8,
            self.cancel_closure: 4,
            self.rounds: 10,
            self.restart: 4,
        }

    def a_spec(self) -> JobSpec:
        """Gangs of whole nodes, and small ones; with and without time to save."""
        chance = self.chance
        return a_job(
            f"sleep {chance.choice([60, 1800, 7200, 40_000])}",
            nodes=chance.choice([1, 1, 2, 3, 6]),
            cpus=chance.choice([1, 4]),
            limit_s=chance.choice([1800, 7200, 86_400]),
            grace_s=chance.choice([0, 30, 600, 3600]),
            capacity_class=chance.choice([CapacityClass.ON_DEMAND, CapacityClass.ON_DEMAND, CapacityClass.SPOT]),
        )

    def tend_a_rack(self) -> str:
        """Somebody does something with a whole rack."""
        act, rack = self.chance.choice([Act.CORDON, Act.UNCORDON, Act.DRAIN, Act.RESUME, Act.RESUME]), self.chance.randrange(4)
        self.factory.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(rack=str(rack))))
        return f"{act.value} {rack}"


def play(folder, seed):
    """Play a story; a failure shows the seed and what happened last."""
    story = RestlessNodes(folder, seed)
    try:
        for _ in range(STEPS):
            story.step()
            check_step(story.factory)
        story.finish()
        check_all(story.factory)
        assert not story.factory.app.applier.state.scheduler.jobs, "without an obstacle every job ends"
    except BaseException as error:
        error.add_note(f"seed {seed}, the last of {len(story.trace)} steps:\n" + "\n".join(story.trace[-12:]))
        raise


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_nodes_no_job_is_lost_and_no_gang_torn(tmp_path, seed):
    play(tmp_path, seed)


@pytest.mark.prove
def test_many_stories_of_nodes_keep_every_invariant(tmp_path):
    """300 stories; the first that fails names its seed."""
    seeds = list(MANY_SEEDS)
    random.Random(0).shuffle(seeds)
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        play(folder, seed)
