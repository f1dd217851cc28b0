"""A factory to which things happen at random, repeatable from a seed: people, time, nodes, faults, restarts."""

import random
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from eisbach.app import (
    cancel_job,
    cap_power,
    close_nodes,
    set_budget,
    set_rules,
    set_scheduler,
    tend_nodes,
    use_target,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts, TariffFacts
from eisbach.app.tend_nodes import Act
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.placement import NO_RULE
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, SECOND_MS
from tests.app.factory import TARIFF, Factory, a_site, new_factory
from tests.app.random_bookings import RandomBookings
from tests.app.random_data import RandomData
from tests.app.random_engine import FURTHER, UnreliableEngine
from tests.app.random_nodes import RandomNodes
from tests.app.random_people import RandomPeople


class RandomFactory(RandomPeople, RandomBookings, RandomNodes, RandomData):
    """One seed is one story; `trace` tells it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.trace: list[str] = []
        self.refused = 0
        self.factory: Factory = new_factory(
            folder,
            site=a_site(*self.some_nodes()),
            budget_eur=self.chance.choice([1, 5, 50, 1000]),
            seed=seed,
            start_ms=self.chance.choice([0, 0, 3000]),
            engine_type=UnreliableEngine,
        )
        engine = self.factory.engine
        assert isinstance(engine, UnreliableEngine)
        engine.chance, engine.trouble = self.chance, self.chance.choice([0.0, 0.0, 0.1, 0.4])
        self.factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [self.factory.site, FURTHER])))
        self.projects = [self.factory.project]
        self.jobs: list[str] = []

    def some_nodes(self) -> list[NodeFacts]:
        """What the factory begins with."""
        return [
            NodeFacts(
                node=f"n{number}",
                pool="p",
                flavour=("cpu", "h200.4")[gpus > 0],
                cpu_milli=self.chance.choice([2000, 4000, 8000]),
                memory_mib=16_384,
                gpus=gpus,
            )
            for number, gpus in enumerate(self.chance.choices([0, 4], k=self.chance.randint(1, 4)))
        ]

    def step(self) -> None:
        """Let one thing happen."""
        actions = self.actions()
        action = self.chance.choices(list(actions), list(actions.values()))[0]
        self.trace.append(f"{self.factory.clock.now()} {action.__name__}")  # first: it names what failed
        self.trace[-1] += f" {action()}"

    def actions(self) -> dict[Callable[[], str], int]:
        """What may happen, and how often beside the rest."""
        return {
            self.submit: 30,
            self.submit_many: 8,
            self.pass_time: 30,
            self.turn_month: 5,
            self.cancel: 8,
            self.drain: 5,
            self.resume: 6,
            self.lose: 6,
            self.lose_node: 3,
            self.repair: 4,
            self.close: 4,
            self.cancel_closure: 2,
            self.budget: 6,
            self.restart: 4,
            self.rounds: 12,
            self.new_project: 1,
            self.tokens: 3,
            self.secrets: 1,
            self.archive: 1,
            self.upload: 6,
            self.copy_data: 4,
            self.delete_data: 4,
            self.tend_data: 3,
            self.promises: 2,
            self.leave: 1,
            self.come: 1,
            self.change_country: 3,
            self.rule: 6,
            self.target: 2,
            self.prove: 1,
            self.change_site: 5,
            self.jump_clock: 1,
            self.cap: 3,
            self.address: 2,
            self.invoice: 4,
            self.credit: 2,
            self.book: 12,
            self.hold: 3,
            self.change_booking: 8,
            self.run_inside: 5,
            self.shares: 3,
            self.scheduler: 1,
        }

    def finish(self) -> None:
        """Take every obstacle away and wait: whatever was accepted comes to its end."""
        for gone in self.factory.engine.gone_nodes():
            self.factory.engine.bring_node_back(gone.node)
        for closure in list(self.factory.app.applier.state.health.closures):
            self.factory.perform(close_nodes.cancel(SYSTEM, closure=closure))
        for act in (Act.RESUME, Act.REPAIR):
            self.factory.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=("*",))))
        site = self.factory.site.site
        self.factory.perform(cap_power.command(SYSTEM, self.factory.app.sites[site], site=site, draw_mw=None))
        for project in self.projects:
            self.factory.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=10**6 * EURO))
        for owner in list(self.factory.app.applier.state.policy.rules):
            self.factory.perform(set_rules.command(SYSTEM, owner=owner, rule=NO_RULE))
        for _ in range(400):
            scheduler = self.factory.app.applier.state.scheduler
            for job in list(scheduler.jobs.values()):  # the site may have lost what it needs
                if not any(scheduler.fleet.could_ever(shape, job.nodes, job.where) for shape in job.shapes):
                    self.factory.perform(cancel_job.command(SYSTEM, job=job.job))
            if not scheduler.jobs:
                return
            self.factory.pass_time(6 * HOUR_MS)
            self.factory.run_rounds()

    def turn_month(self) -> str:
        """Go to the edge of a month, sometimes over it, sometimes with a round right there."""
        now = self.factory.clock.now()
        self.factory.pass_time(month_end(now) - now + self.chance.choice([-HOUR_MS, -1, 0, 1, HOUR_MS, DAY_MS]))
        return self.rounds() if self.chance.random() < 0.6 else "without a round"

    def restart(self) -> str:
        crash = self.chance.random() < 0.6
        self.factory = self.factory.restart(crash=crash, tariff=self.a_price_list())
        if self.chance.random() < 0.8:
            self.factory.run_rounds()
        return "after a crash" if crash else "in order"

    def scheduler(self) -> str:
        """The operator sets another policy of the scheduler."""
        name = self.chance.choice(["fifo", "easy", "default", "default", "none such"])
        return str(self.factory.perform(set_scheduler.command(SYSTEM, policy=name)))

    def target(self) -> str:
        """A backup is written, and later its place is cleared."""
        self.factory.perform(use_target.command(SYSTEM, use="backup"))
        if self.chance.random() < 0.5:
            self.factory.perform(use_target.clear(SYSTEM, use="backup", site=self.factory.site.site))
        return ""

    def jump_clock(self) -> str:
        clock = self.factory.clock
        clock.set_wall(clock.wall() + self.chance.choice([-HOUR_MS, -5 * SECOND_MS, 5 * SECOND_MS, HOUR_MS]))
        self.factory.run_rounds()
        return ""

    def a_price_list(self) -> tuple[TariffFacts, ...]:
        """The prices of these tests, sometimes dearer, sometimes with a version that is to come, and comes or does not."""
        prices = replace(
            TARIFF,
            core_hour=self.chance.choice([TARIFF.core_hour, TARIFF.core_hour, 40_000]),
            booking=BookingRules(no_show_ms=self.chance.choice([0, 4 * HOUR_MS])),
        )
        next_month = month_end(self.factory.clock.now())
        later = replace(TARIFF, version="later", core_hour=50_000, valid_from_ms=next_month)
        return (prices, later) if self.chance.random() < 0.5 else (prices,)
