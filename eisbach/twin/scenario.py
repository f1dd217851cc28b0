"""What is played in the twin: a site, a workload, faults, a policy and a seed. The same scenario gives the same result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, Protocol

from msgspec.structs import replace

from eisbach import compiled
from eisbach.app import set_scheduler
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import SiteFacts, TariffFacts
from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.vocabulary.quantities import DAY_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.signer import Signer
from eisbach.ports.store import Store
from eisbach.stores.totals import TotalsStore
from eisbach.twin.assumed import CHECKPOINT_MS, assumptions
from eisbach.twin.result import Result
from eisbach.twin.rounds import ROUNDS, Every
from eisbach.twin.run import Act, run, unfit
from eisbach.twin.stranded import Stranded
from eisbach.twin.workload import Work, Workload
from eisbach.twin.world import PRICES, START_MS, World

DOCUMENT: Final = "eisbach.twin-result/1"
SIMULATED: Final = "simulated"


class Watch(Protocol):
    """Looks at a world while it is played, and keeps what it finds broken."""

    @property
    def found(self) -> Sequence[object]:
        """Return what was found broken."""

    def is_full_due(self) -> bool:
        """Return whether so many events were seen that `look_often` is due."""

    def look_often(self) -> None:
        """Look at what costs little."""

    def look_at_all(self) -> None:
        """Look at everything, once, at the end."""


class Checking(Protocol):
    """What a checked run has besides: a store that keeps its log, who signs that, and what looks at it."""

    def store(self) -> Store:
        """Return a store that keeps the log."""

    def signer(self, seed: int) -> Signer:
        """Return what signs the log's heads."""

    def watch(self, world: World) -> Watch:
        """Return what looks at a world from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`days` ends it after so many virtual days, None when all work is over. `has_log` hashes every event into the log's tree;
    `checking` (twin/checked.CHECKED) keeps that log, holds the invariants against every event, derives the state from the last look on every
    thousand events, and everything from the whole log at the end."""

    sites: tuple[SiteFacts, ...]
    workload: Workload
    policy: Policy = DEFAULT
    acts: Sequence[Act] = ()
    rounds: Sequence[Every] = ROUNDS
    seed: int = 1
    days: int | None = None
    has_log: bool = False
    checking: Checking | None = None
    starting_ms: int = 0
    checkpoint_ms: int | None = CHECKPOINT_MS
    """how often each job saves; None: never"""
    start_ms: int = START_MS
    prices: Sequence[TariffFacts] = (PRICES,)
    refuse: Callable[[Work, Refusal], object] = unfit
    """what is done about a job that is refused"""
    unknown: Callable[[], Sequence[str]] = tuple
    """what it cannot know of what it plays and what it does not play, in words; asked once it was played"""

    def world(self) -> World:
        """Return a world of its own with all customers in it, at its first instant."""
        checking = self.checking
        store: Store = checking.store() if checking is not None else TotalsStore(has_log=self.has_log)
        signer = checking.signer(self.seed) if checking is not None else None  # of totals no head is signed
        world = World(
            self.sites, store=store, seed=self.seed, start_ms=self.start_ms, starting_ms=self.starting_ms, checkpoint_ms=self.checkpoint_ms,
            prices=self.prices, signer=signer,
        )  # fmt: skip
        for customer in self.workload.customers:
            world.add_customer(customer.name, customer.segment)
        world.perform(set_scheduler.exactly(SYSTEM, self.policy))
        return world

    def play(
        self, world: World, *, look: Callable[[World], object] | None = None, stranded: Stranded | None = None
    ) -> Result:
        """Play it in a world of its own and return what came of it; `look` may look at the world after each instant."""
        until_ms = None if self.days is None else int(world.now) + self.days * DAY_MS
        counted = stranded if stranded is not None else Stranded(world)
        checks = self.checking.watch(world) if self.checking is not None else None

        def look_at_all(world: World) -> None:
            counted.look(world)
            if look is not None:
                look(world)
            if checks is not None and checks.is_full_due():
                checks.look_often()

        after_instant = counted.look if look is None and checks is None else look_at_all
        result = run(world, self._works(), acts=self.acts, rounds=self.rounds, until_ms=until_ms, after_instant=after_instant, refuse=self.refuse)
        if checks is not None:
            checks.look_at_all()
        return replace(result, stranded_gpu_h=sum(counted.gpu_h.values()), violations=len(checks.found) if checks is not None else 0)

    @property
    def assumptions(self) -> Sequence[str]:
        """Return what it takes for granted, in words."""
        is_metered = any(site.is_metered for site in self.sites)
        return assumptions(
            checkpoint_ms=self.checkpoint_ms, starting_ms=self.starting_ms, is_metered=is_metered, has_own_prices=tuple(self.prices) != (PRICES,)
        )

    def document(self, result: Result) -> dict[str, Any]:
        """Return the result with what was played, for programs."""
        return {
            "format": DOCUMENT,
            "label": SIMULATED,
            "sites": [site.site for site in self.sites],
            "workload": self.workload.label,
            "policy": self.policy.name,
            "promised_nodes": self.policy.promised_nodes,
            "notice_s": self.policy.notice_ms / SECOND_MS,
            "minimum_run_s": self.policy.minimum_run_ms / SECOND_MS,
            "half_life_h": self.policy.half_life_hours,
            "seed": self.seed,
            "days": self.days,
            "checkpoint_s": None if self.checkpoint_ms is None else self.checkpoint_ms / SECOND_MS,
            "assumptions": list(self.assumptions),
            "unknown": list(self.unknown()),
            "compiled": compiled.is_used(),
            **result.as_mapping(),
        }

    def _works(self) -> Iterator[Work]:
        works = iter(self.workload)
        if self.days is None:
            return works
        last_ms = self.days * DAY_MS
        return takewhile(lambda work: work.submit_ms < last_ms, works)
