"""What is played in the twin: a site, a workload, faults, a policy and a seed. The same scenario gives the same result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from eisbach.app.site_facts import SiteFacts
from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.stores.totals import TotalsStore
from eisbach.twin.result import Result
from eisbach.twin.run import Act, run
from eisbach.twin.stranded import Stranded
from eisbach.twin.workload import Work, Workload
from eisbach.twin.world import World

DOCUMENT = "eisbach.twin-result/1"
SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`days` ends it after so many virtual days, None when all work is over. `has_log` hashes every event into the log's tree."""

    sites: tuple[SiteFacts, ...]
    workload: Workload
    policy: Policy = DEFAULT
    acts: Sequence[Act] = ()
    seed: int = 1
    days: int | None = None
    has_log: bool = False
    starting_ms: int = 0

    def world(self) -> World:
        """Return a world of its own with all customers in it, at its first instant."""
        world = World(self.sites, store=TotalsStore(has_log=self.has_log), seed=self.seed, starting_ms=self.starting_ms)
        for customer in self.workload.customers:
            world.add_customer(customer.name, customer.segment)
        return world

    def play(
        self, world: World, *, look: Callable[[World], object] | None = None, stranded: Stranded | None = None
    ) -> Result:
        """Play it in a world of its own and return what came of it; `look` may look at the world after each instant."""
        until_ms = None if self.days is None else int(world.now) + self.days * DAY_MS
        counted = stranded if stranded is not None else Stranded(world)

        def after_instant(world: World) -> None:
            counted.look(world)
            if look is not None:
                look(world)

        result = run(world, self._works(), acts=self.acts, until_ms=until_ms, after_instant=after_instant)
        return replace(result, stranded_gpu_h=counted.gpu_h)

    def document(self, result: Result) -> dict[str, Any]:
        """Return the result with what was played, for programs."""
        return {
            "format": DOCUMENT,
            "label": SIMULATED,
            "sites": [site.site for site in self.sites],
            "workload": self.workload.label,
            "policy": self.policy.name,
            "seed": self.seed,
            "days": self.days,
            **result.as_mapping(),
        }

    def _works(self) -> Iterator[Work]:
        works = iter(self.workload)
        if self.days is None:
            return works
        last_ms = self.days * DAY_MS
        return takewhile(lambda work: work.submit_ms < last_ms, works)
