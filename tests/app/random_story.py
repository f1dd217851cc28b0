"""What stories of a factory have in common: its parts, chance, and what was done so far."""

import random

from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule
from eisbach.core.jobs.request import CapacityClass, JobSpec
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.factory import Factory, a_job


class RandomStory:
    """One seed is one story; `trace` tells it. Areas of acts are mixed in."""

    chance: random.Random
    factory: Factory
    trace: list[str]
    projects: list[str]
    jobs: list[str]
    refused: int

    def a_spec(self) -> JobSpec:
        """A job of a random kind: mostly small, some that fail, some over their limit, some wide."""
        chance = self.chance
        seconds = chance.choice([0, 1, 30, 600, 3600, 3 * 3600, 2 * 86_400])
        with_gpus = chance.random() < 0.25
        return a_job(
            f"sleep {seconds}" + chance.choice(["", "", "", "; false", "; exit 3"]),
            nodes=chance.choice([1, 1, 1, 2, 3]),
            cpus=chance.choice([0.5, 1, 2, 4]),
            gpus=chance.choice([1, 2]) if with_gpus else 0,
            flavour="h200" if with_gpus else None,
            limit_s=chance.choice([10, 700, 3600, 4 * 3600, 3 * 86_400]),
            grace_s=chance.choice([0, 5, 30]),
            attempts=chance.choice([1, 1, 2, 4]),
            capacity_class=chance.choice([CapacityClass.ON_DEMAND, CapacityClass.ON_DEMAND, CapacityClass.SPOT]),
            placement=chance.choice([NO_RULE] * 8 + self.some_rules()),
        )

    def some_rules(self) -> list[PlacementRule]:
        """Rules that the one site keeps or breaks, as its country changes, and nodes of one's own."""
        return [
            PlacementRule(countries=("DE",)),
            PlacementRule(countries=("AT", "DE"), dedicated=Dedicated.PROJECT),
            PlacementRule(dedicated=self.chance.choice([Dedicated.PROJECT, Dedicated.ORGANISATION])),
        ]

    def took(self, answer: object) -> str:
        if isinstance(answer, Refusal):
            self.refused += 1
            return answer.reason.value
        job = str(answer["job"])  # type: ignore[index]
        if job not in self.jobs:
            self.jobs.append(job)
        return job

    def pass_time(self) -> str:
        length = self.chance.choice([0, 1, SECOND_MS, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 9 * HOUR_MS])
        self.factory.pass_time(length)
        return f"{length} ms"

    def an_active(self) -> str | None:
        active = sorted(self.factory.app.applier.state.scheduler.jobs)
        return self.chance.choice(active) if active else None

    def a_node(self) -> str:
        return self.chance.choice(sorted(self.factory.app.applier.state.scheduler.fleet.nodes))

    def rounds(self) -> str:
        self.factory.run_rounds()
        return ""

    def an_organisation(self) -> str:
        """The only one there is."""
        return next(iter(self.factory.app.applier.state.organisations))
