"""A story: things happen one after the other to a small factory, drawn from a seed, and its process may end in any of them."""

from collections.abc import Callable, Mapping
from random import Random

from eisbach.app import cancel_job, cap_power, close_nodes, set_budget, set_rules, tend_nodes
from eisbach.app.commands import SYSTEM, Answer, Command
from eisbach.app.reconcile_engine import reconcile
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import ROUNDS, Round, run_all
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.placement import NO_RULE
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports import crash
from eisbach.twin.frail_engine import FrailEngine
from eisbach.twin.world import START_MS, World

POINTS = tuple(
    name for name in crash.POINTS if name.partition(".")[0] not in ("engine", "data") and name != "recover.before_token"
)
"""The crash points that a world passes: no local engine runs in it, nobody uploads, no token is written."""
ARMED_FOR = 6
"""Acts after which a point that nobody reached is given up."""
FINISH_ROUNDS_MAX = 400
LATE_ROUNDS = (*ROUNDS, Round("refuse-late", MINUTE_MS, refuse_late))
PROJECT_BUDGET = 10**6 * EURO


class Story:
    """One seed is one story; `trace` tells it. `acts` are what may happen, by weight: each gets the story and says what it did."""

    def __init__(
        self, world: World, engine: FrailEngine, chance: Random, acts: "Mapping[Callable[[Story], str], int]"
    ) -> None:
        self.world, self.engine, self.chance = world, engine, chance
        self.trace: list[str] = []
        self.reasons: set[Reason] = set()
        """why somebody was refused"""
        self.points: set[str] = set()
        """crash points at which the world ended"""
        self.on_restart: Callable[[], object] = lambda: None
        self.projects: list[str] = []
        self.jobs: list[str] = []
        self._acts, self._weights = list(acts), list(acts.values())
        self._armed_until = 0

    def step(self) -> None:
        """Let one thing happen; should the world end in it, it begins anew."""
        (act,) = self.chance.choices(self._acts, self._weights)
        self.trace.append(f"{self.world.now - START_MS} {act.__name__}")  # first: it names what failed
        try:
            self.trace[-1] += f" {act(self)}"
        except crash.Crashed:
            self.trace[-1] += " ended the world"
            self.begin_anew()
        if self._armed_until and len(self.trace) >= self._armed_until:
            crash.disarm()
            self._armed_until = 0

    def perform(self, command: Command) -> Answer:
        """Have a command decided and come to rest; a refusal is an answer like any other."""
        return self.perform_together([command])[0]

    def perform_together(self, commands: list[Command]) -> list[Answer]:
        """Have commands decided in one batch and come to rest."""
        answers = self.world.decide(commands)
        self.world.rest()
        self.reasons.update(one.reason for one in answers if isinstance(one, Refusal))
        return answers

    def pass_ms(self, length_ms: int) -> None:
        """Let time pass, stopping at each instant at which something is due."""
        world, end = self.world, self.world.now + length_ms
        while True:
            due = world.next_instant()
            world.advance_to(end if due is None else min(max(due, world.now + 1), end))
            world.decide([])
            world.rest()
            if world.now >= end:
                return

    def run_rounds(self) -> None:
        """Run every round once."""
        run_all(self.world.application, LATE_ROUNDS)
        self.world.rest()

    def end_at(self, point: str, times: int) -> None:
        """Have the world end when it reaches a point so often; given up after a few acts."""
        crash.disarm()
        crash.arm(f"{point}:{times}", lambda: self._ends_at(point))
        self._armed_until = len(self.trace) + ARMED_FOR

    def begin_anew(self) -> None:
        """Go on as a new process does, on what store and engine hold; the world may end once more in that."""
        for _ in range(2):
            try:
                self.world.restart()
                self.on_restart()
                reconcile(self.world.application)
                self.world.rest()
                return
            except crash.Crashed:
                self.trace[-1] += " and its restart"
        raise AssertionError("a crash point is armed once")

    def finish(self) -> bool:
        """Take every obstacle away and wait; return whether all that was accepted came to its end."""
        crash.disarm()
        self._calm()
        for _ in range(FINISH_ROUNDS_MAX):
            scheduler = self.world.state.scheduler
            for job in list(scheduler.jobs.values()):  # the site may have lost what it needs
                if not any(scheduler.fleet.could_ever(shape, job.nodes, job.where, within=job.within) for shape in job.shapes):
                    self.perform(cancel_job.command(SYSTEM, job=job.job))
            if not scheduler.jobs:
                return True
            self.pass_ms(6 * HOUR_MS)
            self.run_rounds()
        return False

    def _calm(self) -> None:
        """Every node is well and open, nothing is capped, every budget is large and no rule holds."""
        state, self.engine.trouble = self.world.state, 0.0
        for gone in self.engine.gone_nodes():
            self.engine.bring_node_back(gone.node)
        for closure in list(state.health.closures):
            self.perform(close_nodes.cancel(SYSTEM, closure=closure))
        for act in (tend_nodes.Act.REPAIR, tend_nodes.Act.RESUME):
            self.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=("*",))))
        for site in self.world.application.sites.values():
            self.perform(cap_power.command(SYSTEM, site, site=site.site, draw_mw=None))
        for project in self.projects:
            self.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=PROJECT_BUDGET))
        for owner in list(state.policy.rules):
            self.perform(set_rules.command(SYSTEM, owner=owner, rule=NO_RULE))

    def _ends_at(self, point: str) -> None:
        self.points.add(point)
        crash.crash_world()
