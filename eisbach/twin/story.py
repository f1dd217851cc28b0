"""What may happen to a small factory, drawn from a seed: people, time, nodes, faults, and the end of its process anywhere."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from eisbach.app import cancel_job, cap_power, create_organisation, create_project, drain_node, set_budget, set_rules, set_shares, submit_job
from eisbach.app.commands import SYSTEM, Answer, Command
from eisbach.app.create_organisation import SEGMENTS
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.reconcile_engine import reconcile
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import ROUNDS, Round, run_all
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports import crash
from eisbach.twin.frail_engine import FrailEngine
from eisbach.twin.world import START_MS, World

POINTS = tuple(name for name in crash.POINTS if name.partition(".")[0] not in ("engine", "data") and name != "recover.before_token")
"""The crash points that a world passes: no local engine runs in it, nobody uploads, no token is written."""
ARMED_FOR = 6
"""Acts after which a point that nobody reached is given up."""
FINISH_ROUNDS_MAX = 400
SITE_ROUNDS = (*ROUNDS, Round("refuse-late", MINUTE_MS, refuse_late))


@dataclass(slots=True)
class Seen:
    """What happened at all in a story, for the list of what never did."""

    reasons: set[Reason] = field(default_factory=set)
    points: set[str] = field(default_factory=set)


class Story:
    """One seed is one story; `trace` tells it. `on_restart` is called whenever the world has begun anew."""

    def __init__(self, world: World, engine: FrailEngine, chance: Random) -> None:
        self.world, self.engine, self.chance = world, engine, chance
        self.trace: list[str] = []
        self.seen = Seen()
        self.on_restart: Callable[[], object] = lambda: None
        self.projects: list[str] = []
        self.jobs: list[str] = []
        self._armed_until = 0
        for number in range(chance.randint(1, 3)):
            self.projects.append(self._new_customer(f"customer {number}"))
        self._acts: dict[Callable[[], str], int] = {
            self.submit: 30,
            self.submit_many: 8,
            self.pass_time: 30,
            self.turn_month: 4,
            self.cancel: 7,
            self.drain: 5,
            self.resume: 6,
            self.lose: 6,
            self.budget: 5,
            self.restart: 2,
            self.crash: 14,
            self.rounds: 12,
            self.cap: 3,
            self.rule: 5,
            self.change_site: 4,
            self.shares: 3,
        }

    def step(self) -> None:
        """Let one thing happen; should the world end in it, it begins anew."""
        act = self.chance.choices(list(self._acts), list(self._acts.values()))[0]
        self.trace.append(f"{self.world.now - START_MS} {act.__name__}")  # first: it names what failed
        self._live(lambda: self._told(act()))
        if self._armed_until and len(self.trace) >= self._armed_until:
            crash.disarm()
            self._armed_until = 0

    def finish(self) -> bool:
        """Take every obstacle away and wait; return whether all that was accepted came to its end."""
        crash.disarm()
        self.engine.trouble = 0.0
        world = self.world
        for node in list(world.state.scheduler.fleet.nodes.values()):
            if node.drained and not node.removed:
                self._perform(drain_node.command(SYSTEM, node=node.node, drained=False))
        for site in world.application.sites.values():
            self._perform(cap_power.command(SYSTEM, site, site=site.site, draw_mw=None))
        for project in self.projects:
            self._perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=10**6 * EURO))
        for owner in list(world.state.policy.rules):
            self._perform(set_rules.command(SYSTEM, owner=owner, rule=NO_RULE))
        for _ in range(FINISH_ROUNDS_MAX):
            scheduler = world.state.scheduler
            for job in list(scheduler.jobs.values()):  # the site may have lost what it needs
                if not any(scheduler.fleet.could_ever(shape, job.nodes, job.where) for shape in job.shapes):
                    self._perform(cancel_job.command(SYSTEM, job=job.job))
            if not scheduler.jobs:
                return True
            self._pass(6 * HOUR_MS)
            self.rounds()
        return False

    def _told(self, what: str) -> None:
        self.trace[-1] += f" {what}"

    def _live(self, act: Callable[[], object]) -> None:
        """Do something, and begin anew where the world ends meanwhile, as often as that takes."""
        try:
            act()
            return
        except crash.Crashed:
            self.trace[-1] += " ended the world"
        self._begin_anew()

    def _begin_anew(self) -> None:
        for _ in range(3):
            try:
                self.world.restart()
                self.on_restart()
                reconcile(self.world.application)
                self.world.rest()
                return
            except crash.Crashed:
                self.trace[-1] += " and its restart"
        raise AssertionError("a crash point is armed once")

    def _perform(self, command: Command) -> Answer:
        (answer,) = self.world.decide([command])
        self.world.rest()
        if isinstance(answer, Refusal):
            self.seen.reasons.add(answer.reason)
        return answer

    # ---- people

    def _new_customer(self, name: str) -> str:
        segment = self.chance.choice(SEGMENTS)
        made = self._perform(create_organisation.command(SYSTEM, name=name, segment=segment))
        budget = self.chance.choice([5, 1000, 10**5, 10**5])
        command = create_project.command(
            SYSTEM, organisation=made["organisation"], name=name, budget_micro_eur=round(budget * EURO)  # type: ignore[index]
        )
        return str(self._perform(command)["project"])  # type: ignore[index]

    def a_spec(self) -> JobSpec:
        """Return a job of a random kind: mostly small, some that fail, some over their limit, some wide, some near together."""
        chance = self.chance
        nodes = chance.choice([1, 1, 1, 1, 2, 3, 4])
        seconds = chance.choice([0, 1, 30, 600, 3600, 3 * 3600, 2 * 86_400])
        return JobSpec(
            name="job",
            nodes=nodes,
            shapes=tuple(self._a_shape(nodes) for _ in range(chance.choice([1, 1, 1, 2]))),
            run=f"sleep {seconds}" + chance.choice(["", "", "", "; false", "; exit 3"]),
            time_limit_ms=SECOND_MS * chance.choice([10, 700, 3600, 4 * 3600, 3 * 86_400]),
            checkpoint=CheckpointRule(grace_ms=SECOND_MS * chance.choice([0, 5, 30])),
            retry=RetryRule(max_attempts=chance.choice([1, 1, 2, 4])),
            capacity_class=chance.choice([CapacityClass.ON_DEMAND, CapacityClass.ON_DEMAND, CapacityClass.SPOT]),
            placement=chance.choice([NO_RULE] * 10 + self._rules()),
            within=Within(chance.choice(list(Level)), chance.random() < 0.5) if nodes > 1 and chance.random() < 0.4 else None,
        )

    def _a_shape(self, nodes: int) -> NodeShape:
        """Return a shape that some node here has; now and then one that none has."""
        chance, fleet = self.chance, self.world.state.scheduler.fleet.nodes
        node = fleet[chance.choice(sorted(fleet))]
        flavour = "b200" if chance.random() < 0.03 else node.flavour.partition(".")[0]
        gpus = chance.choice([one for one in (0, 1, 1, 2, 4) if one <= node.gpus])
        part = chance.choice([250, 500, 700]) if gpus == 1 and chance.random() < 0.3 else 1000
        return NodeShape(
            cpu_milli=chance.choice([one for one in (500, 1000, 2000, 4000) if one <= node.cpu_milli]),
            memory_mib=1024,
            gpus=gpus,
            flavour=flavour if gpus or chance.random() < 0.3 else None,
            gpu_milli=part,
        )

    def _rules(self) -> list[PlacementRule]:
        return [
            PlacementRule(countries=("DE",)),
            PlacementRule(countries=("AT", "DE"), dedicated=Dedicated.PROJECT),
            PlacementRule(dedicated=self.chance.choice([Dedicated.PROJECT, Dedicated.ORGANISATION])),
        ]

    def submit(self) -> str:
        """Somebody submits a job."""
        command = submit_job.command(SYSTEM, project=self.chance.choice(self.projects), spec=self.a_spec())
        return self._took(self._perform(command))

    def submit_many(self) -> str:
        """Several submit in one batch."""
        commands = [
            submit_job.command(SYSTEM, project=self.chance.choice(self.projects), spec=self.a_spec())
            for _ in range(self.chance.randint(2, 6))
        ]
        answers = self.world.decide(commands)
        self.world.rest()
        return "; ".join(self._took(answer) for answer in answers)

    def _took(self, answer: Answer) -> str:
        if isinstance(answer, Refusal):
            self.seen.reasons.add(answer.reason)
            return answer.reason.value
        self.jobs.append(str(answer["job"]))
        return self.jobs[-1]

    def cancel(self) -> str:
        """Somebody cancels a job, sometimes one that is over."""
        active = sorted(self.world.state.scheduler.jobs)
        pool = active if active and self.chance.random() < 0.9 else self.jobs
        job = self.chance.choice(pool) if pool else "job_none"
        self._perform(cancel_job.command(SYSTEM, job=job))
        return job

    def budget(self) -> str:
        """A project gets another budget."""
        project, euro = self.chance.choice(self.projects), self.chance.choice([0, 0.5, 10, 1000, 10**5])
        self._perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=round(euro * EURO)))
        return f"{project} {euro} EUR"

    def rule(self) -> str:
        """Somebody sets a rule about places, or takes it away."""
        owner = self.chance.choice([*self.projects, *self.world.state.organisations])
        rule = self.chance.choice([NO_RULE, NO_RULE, *self._rules()])
        self._perform(set_rules.command(SYSTEM, owner=owner, rule=rule))
        return owner

    def shares(self) -> str:
        """Somebody gets another weight, quota or agreement, or none any more."""
        chance, organisations = self.chance, list(self.world.state.organisations)
        owner = chance.choice([*self.projects, *organisations])
        command = chance.choice(
            [
                set_shares.set_share(SYSTEM, owner=chance.choice([owner, "enterprise"]), weight=chance.choice([None, 0, 7])),
                set_shares.set_quota(SYSTEM, owner=owner, gpu_milli=chance.choice([None, 0, 2000])),
                set_shares.set_agreement(
                    SYSTEM, organisation=chance.choice(organisations), gpu_milli=chance.choice([0, 3000]), price_permille=1000
                ),
            ]
        )
        self._perform(command)
        return owner

    # ---- time

    def pass_time(self) -> str:
        """Let some time pass, from nothing to a night."""
        length = self.chance.choice([0, 1, SECOND_MS, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 9 * HOUR_MS])
        self._pass(length)
        return f"{length} ms"

    def turn_month(self) -> str:
        """Go to the edge of a month, sometimes over it."""
        now = self.world.now
        self._pass(month_end(now) - now + self.chance.choice([-HOUR_MS, -1, 0, 1, HOUR_MS, DAY_MS]))
        return self.rounds() if self.chance.random() < 0.6 else "without a round"

    def rounds(self) -> str:
        """Every round runs once."""
        run_all(self.world.application, SITE_ROUNDS)
        self.world.rest()
        return ""

    def _pass(self, length_ms: int) -> None:
        world, end = self.world, self.world.now + length_ms
        while True:
            due = world.next_instant()
            world.advance_to(end if due is None else min(max(due, world.now + 1), end))
            world.decide([])
            world.rest()
            if world.now >= end:
                return

    # ---- the site

    def drain(self) -> str:
        """A node takes no more work."""
        node, stop_work = self._a_node(), self.chance.random() < 0.6
        self._perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=stop_work))
        return f"{node} {'now' if stop_work else 'when idle'}"

    def resume(self) -> str:
        """A node takes work again."""
        node = self._a_node()
        self._perform(drain_node.command(SYSTEM, node=node, drained=False))
        return node

    def _a_node(self) -> str:
        return self.chance.choice(sorted(self.world.state.scheduler.fleet.nodes))

    def lose(self) -> str:
        """A running attempt is lost; often the same job's again, so that its delays grow."""
        jobs = self.world.state.scheduler.jobs.values()
        going = self.engine.going()
        running = sorted(str(job.attempt) for job in jobs if job.state is JobState.RUNNING and job.attempt in going)
        if not running:
            return "nothing"
        attempt = running[0] if self.chance.random() < 0.7 else self.chance.choice(running)
        self.engine.lose(attempt)
        self.world.rest()
        return attempt

    def cap(self) -> str:
        """An operator caps a site, for a while or until it is lifted."""
        facts = self.chance.choice(list(self.world.application.sites.values()))
        draw_mw = self.chance.choice([None, None, 0, 20_000, 2_000_000, 10**7])
        until_ms = self.chance.choice([0, self.world.now + HOUR_MS])
        self._perform(cap_power.command(SYSTEM, facts, site=facts.site, draw_mw=draw_mw, until_ms=until_ms))
        return f"{facts.site} {draw_mw} mW"

    def change_site(self) -> str:
        """A node gets another size, or one more comes, or one goes, or one stands elsewhere; or the site's country changes."""
        first, *more = self.world.sites
        nodes, kind = list(first.nodes), self.chance.choice(["size", "more", "less", "rack", "country"])
        at = self.chance.randrange(len(nodes))
        if kind == "size":
            nodes[at] = replace(nodes[at], cpu_milli=self.chance.choice([2000, 4000, 8000]))
        elif kind == "more":
            nodes.append(replace(nodes[at], node=f"more-{len(self.trace)}"))
        elif kind == "less" and len(nodes) > 1:
            nodes.pop()
        elif kind == "rack":
            nodes[at] = replace(nodes[at], rack=self.chance.choice(["rack-01", "rack-02"]))
        country = self.chance.choice(["DE", "AT"]) if kind == "country" else first.country
        self.world.sites = (replace(first, nodes=tuple(nodes), country=country), *more)
        apply_site_changes(self.world.application, self.world.sites)
        self.world.rest()
        return kind

    # ---- the process

    def restart(self) -> str:
        """The process ends in order and begins anew."""
        self.world.stop()
        self._begin_anew()
        return "in order"

    def crash(self) -> str:
        """The process will end at a named point, soon or not at all; or it ends while it begins."""
        point = self.chance.choice(POINTS)
        crash.disarm()
        crash.arm(f"{point}:{self.chance.choice([1, 1, 1, 2, 3])}", lambda: self._ends_at(point))
        self._armed_until = len(self.trace) + ARMED_FOR
        if point.startswith("recover"):
            self._begin_anew()
        return point

    def _ends_at(self, point: str) -> None:
        self.seen.points.add(point)
        crash.crash_world()
