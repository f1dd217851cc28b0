"""A factory to which things happen at random, repeatable from a seed: people, time, nodes, faults, restarts."""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eisbach.adapters.promise_file import SHIPPED, read_promise_file
from eisbach.app import (
    announce_data_set,
    book_capacity,
    cancel_booking,
    cancel_job,
    cap_power,
    close_nodes,
    copy_data_set,
    create_project,
    credit_invoice,
    delete_data_set,
    drain_node,
    extend_booking,
    hold_option,
    issue_invoice,
    issue_token,
    keep_secret,
    promise_register,
    prove_residency,
    quote_capacity,
    receive_archive,
    set_billing,
    set_budget,
    set_rules,
    set_scheduler,
    set_shares,
    submit_job,
    tend_nodes,
    use_target,
)
from eisbach.app.announce_data_set import NewDataSet
from eisbach.app.commands import SYSTEM, Command, IdempotencyKey
from eisbach.app.data_shelves import shelf_of
from eisbach.app.export_organisation import Export
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.quote_capacity import Wanted
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts, SiteFacts, TariffFacts
from eisbach.app.state_data import Stage
from eisbach.app.tend_data_sets import tend_data_sets
from eisbach.app.tend_nodes import Act
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule
from eisbach.core.jobs.request import CapacityClass, JobSpec
from eisbach.core.vocabulary.interval import month_end, month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.engine import Ending, EngineUnavailable, StartOrder, StopOrder
from tests.app.billing import FIRM
from tests.app.factory import TARIFF, Factory, a_job, a_site, new_factory
from tests.app.leaving import begun, exported, imported, key_of, organisation_of

FURTHER = SiteFacts(site="there", country="AT", operator="Test", operator_country="AT", nodes=(), is_simulated=True)


class UnreliableEngine(SimulatedEngine):
    """Now and then it takes no order, tells nobody what it saw, or its tasks need their whole grace to stop."""

    chance = random.Random(0)
    trouble = 0.0

    def start(self, order: StartOrder) -> None:
        """Begin an attempt, unless the engine cannot be reached."""
        if self.chance.random() < self.trouble:
            raise EngineUnavailable("no answer")
        super().start(order)

    def stop(self, order: StopOrder) -> None:
        """Ask an attempt to stop; it may take its grace."""
        attempt = self._attempts.get(order.attempt_id)
        if self.chance.random() < self.trouble:
            raise EngineUnavailable("no answer")
        if attempt is None or attempt.ended_ms is not None or self.chance.random() < 0.5:
            super().stop(order)
            return
        self._check(order.epoch)
        attempt.ends_ms = min(attempt.ends_ms, self._clock.now() + order.grace_ms)
        attempt.ending, attempt.exit_code = Ending.STOPPED, 143
        heapq.heappush(self._due, (attempt.ends_ms, order.attempt_id))

    def _tell(self, name: str) -> None:
        if self.chance.random() >= self.trouble:
            super()._tell(name)


class RandomFactory:
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

    def submit(self) -> str:
        spec, project = self.a_spec(), self.chance.choice(self.projects)
        return self.took(self.factory.perform(submit_job.command(SYSTEM, project=project, spec=spec)))

    def submit_many(self) -> str:
        """Several requests in one batch, some with a key that comes twice."""
        asked = []
        for number in range(self.chance.randint(2, 6)):
            project, spec = self.chance.choice(self.projects), self.a_spec()
            key = IdempotencyKey(scope=project, key=f"{self.factory.clock.now()}-{number // 2}", body_digest=repr(spec))
            command = submit_job.command(SYSTEM, project=project, spec=spec)
            asked.append(self.factory.app.perform(command, key if self.chance.random() < 0.3 else None))
        self.factory.settle()
        return "; ".join(self.took(one.result(timeout=0)) for one in asked)

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

    def turn_month(self) -> str:
        """Go to the edge of a month, sometimes over it, sometimes with a round right there."""
        now = self.factory.clock.now()
        self.factory.pass_time(month_end(now) - now + self.chance.choice([-HOUR_MS, -1, 0, 1, HOUR_MS, DAY_MS]))
        return self.rounds() if self.chance.random() < 0.6 else "without a round"

    def a_quote(self) -> list[str]:
        """The options of a new quote for some nodes and hours, soon or later."""
        chance, app = self.chance, self.factory.app
        wanted = Wanted(
            flavour=chance.choice(["cpu", "h200"]),
            nodes=chance.choice([1, 1, 2]),
            length_ms=chance.choice([10 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS, 40 * DAY_MS]),
            from_ms=self.factory.clock.now() + chance.choice([0, 0, 0, HOUR_MS, 20 * DAY_MS]),
        )
        project = chance.choice(self.projects)
        quote = self.factory.perform(quote_capacity.command(SYSTEM, app.sites, project=project, wanted=wanted))
        return [] if isinstance(quote, Refusal) else [one["option"] for one in quote["options"]]

    def book(self) -> str:
        """Somebody books what was quoted now or some time ago; sometimes twice."""
        known = self.factory.app.applier.state.booking.quotes.values()
        older = [f"{quote.quote}.1" for quote in known if not quote.extends]
        options = self.a_quote() if not older or self.chance.random() < 0.7 else older
        if not options:
            return "no option"
        option = self.chance.choice(options)
        for _ in range(self.chance.choice([1, 1, 2])):
            answer = self.factory.perform(self.booking_command(option))
        if isinstance(answer, Refusal):
            return answer.reason.value
        inside = self.run_inside(str(answer["booking"])) if self.chance.random() < 0.5 else "nothing"
        return f"{answer['booking']}, {inside} inside"

    def booking_command(self, option: str) -> Command:
        state = self.factory.app.applier.state
        project = state.booking.quotes[option.partition(".")[0]].project
        return book_capacity.command(SYSTEM, self.factory.app.sites, project=project, option=option)

    def hold(self) -> str:
        options = self.a_quote()
        if not options:
            return "no option"
        project = self.factory.app.applier.state.booking.quotes[options[0].partition(".")[0]].project
        self.factory.perform(hold_option.command(SYSTEM, project=project, option=options[0]))
        if self.chance.random() < 0.3:
            self.factory.perform(hold_option.release(SYSTEM, project=project, option=options[0]))
        return options[0]

    def a_booking(self) -> str:
        known = sorted(self.factory.app.applier.state.booking.bookings)
        return self.chance.choice(known) if known else "bkg_none"

    def change_booking(self) -> str:
        """A booking is cancelled or made longer, or a node of it takes no work any more."""
        booking, sites = self.a_booking(), self.factory.app.sites
        known = self.factory.app.applier.state.booking.bookings.get(booking)
        if known is not None and self.chance.random() < 0.5:
            node = self.chance.choice(known.nodes)
            self.factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=True))
            self.factory.pass_time(max(0, min(known.from_ms - self.factory.clock.now(), HOUR_MS)) + MINUTE_MS)
            self.factory.run_rounds()
            return f"drain {node} of {booking}"
        if self.chance.random() < 0.4:
            self.factory.perform(cancel_booking.command(SYSTEM, booking=booking))
            return f"cancel {booking}"
        length = self.chance.choice([MINUTE_MS, HOUR_MS, 30 * DAY_MS])
        quote = self.factory.perform(extend_booking.command(SYSTEM, sites, booking=booking, length_ms=length))
        if not isinstance(quote, Refusal):
            self.factory.perform(self.booking_command(quote["options"][0]["option"]))
        return f"extend {booking}"

    def run_inside(self, name: str = "") -> str:
        booking = self.factory.app.applier.state.booking.bookings.get(name or self.a_booking())
        if booking is None:
            return "no booking"
        spec = self.a_spec()._replace(booking=booking.booking, capacity_class=CapacityClass.RESERVED)
        return self.took(self.factory.perform(submit_job.command(SYSTEM, project=booking.project, spec=spec)))

    def an_active(self) -> str | None:
        active = sorted(self.factory.app.applier.state.scheduler.jobs)
        return self.chance.choice(active) if active else None

    def cancel(self) -> str:
        job = self.an_active()
        if job is not None:
            self.factory.perform(cancel_job.command(SYSTEM, job=job))
        return str(job)

    def a_node(self) -> str:
        return self.chance.choice(sorted(self.factory.app.applier.state.scheduler.fleet.nodes))

    def drain(self) -> str:
        node, stop_work = self.a_node(), self.chance.random() < 0.6
        self.factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=stop_work))
        return f"{node} {'now' if stop_work else 'when idle'}"

    def resume(self) -> str:
        node = self.a_node()
        self.factory.perform(drain_node.command(SYSTEM, node=node, drained=False))
        return node

    def lose(self) -> str:
        """A running attempt is lost; often the same job's again, so that its delays grow."""
        jobs = self.factory.app.applier.state.scheduler.jobs.values()
        known = self.factory.engine._attempts
        running = sorted(
            str(job.attempt) for job in jobs if job.state is JobState.RUNNING and known[str(job.attempt)].ended_ms is None
        )
        if not running:
            return "nothing"
        attempt = running[0] if self.chance.random() < 0.7 else self.chance.choice(running)
        self.factory.engine.lose(attempt)
        self.factory.settle()
        return attempt

    def lose_node(self) -> str:
        """A node fails; its engine tells it, a round finds it, or the operator says it."""
        node, is_seen = self.a_node(), self.chance.random() < 0.7
        if is_seen:
            self.factory.engine.lose_node(node)
            self.factory.settle()
        else:
            self.factory.perform(tend_nodes.command(SYSTEM, act=Act.LOST, targets=Targets(names=(node,))))
        return f"{node} {'by the engine' if is_seen else 'by the operator'}"

    def close(self) -> str:
        """Some nodes are to be closed for a while, or drained by a deadline; sometimes at a time that cannot be."""
        names = ("*",) if self.chance.random() < 0.2 else (self.a_node(),)
        from_ms = self.factory.clock.now() + self.chance.choice([-1, 0, SECOND_MS, MINUTE_MS, HOUR_MS, HOUR_MS, DAY_MS])
        length_ms = self.chance.choice([None, 0, MINUTE_MS, HOUR_MS, 9 * HOUR_MS])
        targets, is_forced = Targets(names=names), self.chance.random() < 0.5
        command = close_nodes.command(SYSTEM, targets=targets, from_ms=from_ms, length_ms=length_ms, is_forced=is_forced)
        answer = self.factory.perform(command)
        return answer.reason.value if isinstance(answer, Refusal) else f"{names} {answer['kind']} at {from_ms}"

    def cancel_closure(self) -> str:
        """A closure is cancelled, or cut short."""
        known = sorted(self.factory.app.applier.state.health.closures)
        if not known:
            return "nothing"
        closure = self.chance.choice(known)
        self.factory.perform(close_nodes.cancel(SYSTEM, closure=closure))
        return closure

    def repair(self) -> str:
        """Somebody looks at all nodes that are ill; some work again, the engine may still miss others."""
        for gone in self.factory.engine.gone_nodes():
            if self.chance.random() < 0.8:
                self.factory.engine.bring_node_back(gone.node)
        ill = sorted(self.factory.app.applier.state.health.marks)
        for node in ill:
            self.factory.perform(tend_nodes.command(SYSTEM, act=Act.REPAIR, targets=Targets(names=(node,))))
        return " ".join(ill)

    def budget(self) -> str:
        project, euro = self.chance.choice(self.projects), self.chance.choice([0, 0.05, 0.5, 2, 10, 1000])
        self.factory.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=round(euro * EURO)))
        return f"{project} {euro} EUR"

    def restart(self) -> str:
        crash = self.chance.random() < 0.6
        self.factory = self.factory.restart(crash=crash, tariff=self.a_price_list())
        if self.chance.random() < 0.8:
            self.factory.run_rounds()
        return "after a crash" if crash else "in order"

    def rounds(self) -> str:
        self.factory.run_rounds()
        return ""

    def new_project(self) -> str:
        state = self.factory.app.applier.state
        organisation = next(iter(state.organisations))
        name, euro = f"project {len(self.projects)}", self.chance.choice([0.2, 3, 500])
        made = self.factory.perform(
            create_project.command(SYSTEM, organisation=organisation, name=name, budget_micro_eur=round(euro * EURO))
        )
        self.projects.append(made["project"])
        return str(made["project"])

    def tokens(self) -> str:
        issued = self.factory.perform(issue_token.command(SYSTEM, role="member", project=self.projects[0], label="a label"))
        if self.chance.random() < 0.5:
            self.factory.perform(issue_token.revoke(SYSTEM, token=issued["token"]))
        return str(issued["token"])

    def secrets(self) -> str:
        project = self.projects[0]
        put = Round("secret", 1, lambda app: keep_secret.store(app, SYSTEM, project, "NAME", "value"))
        self.factory.run_rounds(put)
        return project

    def archive(self) -> str:
        digest = f"sha256:{self.chance.randbytes(32).hex()}"
        for _ in range(2):
            self.factory.perform(receive_archive.command(SYSTEM, project=self.projects[0], archive=digest, size=9))
        return digest

    def leave(self) -> str:
        """The first organisation is exported, whatever runs meanwhile."""
        export = begun(self.factory, organisation_of(self.factory))
        assert isinstance(export, Export), str(export)
        return f"{len(export.owned.finished())} events"

    def come(self) -> str:
        """An organisation comes from another factory, the second time in vain; its project goes on with the others."""
        folder = self.factory.folder / "elsewhere"
        if not folder.exists():
            folder.mkdir()
            elsewhere = new_factory(folder, seed=self.factory.seed + 77)
            elsewhere.submit(a_job("sleep 60", cpus=2))
            elsewhere.pass_time(HOUR_MS)
            elsewhere.run_rounds()
            exported(elsewhere, organisation_of(elsewhere), folder / "package.tar")
            (folder / "key").write_text(key_of(elsewhere))
            self.projects.append(elsewhere.project)
        answer = imported(self.factory, folder / "package.tar", (folder / "key").read_text())
        return "new" if answer["is_new"] else "here already"

    def promises(self) -> str:
        """The register of promises as shipped, with a promise less, or with a figure that somebody made smaller."""
        shipped = list(read_promise_file(SHIPPED))
        kind = self.chance.choice(["shipped", "less", "edited"])
        if kind == "less":
            shipped.pop(self.chance.randrange(len(shipped)))
        elif kind == "edited":
            first = shipped[0].wordings[0]
            shipped[0] = replace(shipped[0], wordings=(replace(first, value_milli=first.value_milli // 2),))
        self.factory.perform(promise_register.command(shipped))
        return kind

    def upload(self) -> str:
        """Somebody begins to upload, or goes on; more often than not to the end."""
        app, project = self.factory.app, self.chance.choice(self.projects)
        new = NewDataSet(name="a.csv", size=self.chance.randint(1, 3000), keep_days=self.chance.choice([None, None, 1]))
        if self.chance.random() < 0.7:
            self.factory.perform(announce_data_set.command(SYSTEM, project=project, new=new, limits=app.data_limits))
        coming = [one for one in app.applier.state.data.sets.values() if one.stage is Stage.UPLOADING]
        if not coming:
            return "nothing"
        one = replace(self.chance.choice(coming))
        shelf = shelf_of(app, one.project, one.places[0])
        with app.objects.append(shelf, one.data_set, one.size) as incoming:
            rest = one.size - incoming.offset
            incoming.write(bytes(rest if self.chance.random() < 0.7 else self.chance.randint(0, rest)))
        return self.tend_data()

    def a_data_set(self) -> str:
        known = sorted(self.factory.app.applier.state.data.sets)
        return self.chance.choice(known) if known else "dset_none"

    def copy_data(self) -> str:
        app = self.factory.app
        ready = sorted(one.data_set for one in app.applier.state.data.sets.values() if one.stage is Stage.READY)
        data_set = self.chance.choice(ready) if ready else "dset_none"
        site = self.chance.choice([self.factory.site.site, FURTHER.site, FURTHER.site])
        self.factory.perform(copy_data_set.command(SYSTEM, data_set=data_set, site=site, limits=app.data_limits))
        return f"{data_set} {site} " + (self.tend_data() if self.chance.random() < 0.7 else "")

    def delete_data(self) -> str:
        data_set = self.a_data_set()
        self.factory.perform(delete_data_set.command(SYSTEM, data_set=data_set))
        return data_set

    def tend_data(self) -> str:
        self.factory.run_rounds(Round("tend-data-sets", 1, tend_data_sets))
        return ""

    def change_site(self) -> str:
        """A node gets another size, or one more node comes, or one goes."""
        site, kind = self.factory.site, self.chance.choice(["size", "more", "less", "rack"])
        nodes = list(site.nodes)
        if kind == "size":
            at = self.chance.randrange(len(nodes))
            nodes[at] = replace(nodes[at], cpu_milli=self.chance.choice([2000, 4000, 8000]))
        elif kind == "more" and len(nodes) < 6:
            from_ms = self.chance.choice([0, 0, self.factory.clock.now() + HOUR_MS])
            more = NodeFacts(node=f"m{len(self.trace)}", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=16_384, from_ms=from_ms)
            nodes.append(more)
        elif kind == "less" and len(nodes) > 1:
            nodes.pop()
        elif kind == "rack":
            nodes[0] = replace(nodes[0], hall="hall-01", rack=self.chance.choice(["rack-01", "rack-02"]))
        self.factory.site = replace(site, nodes=tuple(nodes))
        self.factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [self.factory.site])))
        return kind

    def change_country(self) -> str:
        """The site file names another country; some rules allow it and some do not."""
        self.factory.site = replace(self.factory.site, country=self.chance.choice(["DE", "DE", "AT", "US"]))
        self.factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [self.factory.site])))
        return self.factory.site.country

    def shares(self) -> str:
        """Somebody gets another share, quota or agreement, or none any more."""
        state, chance = self.factory.app.applier.state, self.chance
        owner = chance.choice([*self.projects, *state.organisations])
        command = chance.choice(
            [
                set_shares.set_share(SYSTEM, owner=chance.choice([owner, "enterprise"]), weight=chance.choice([None, 0, 7])),
                set_shares.set_quota(SYSTEM, owner=owner, gpu_milli=chance.choice([None, 0, 2000])),
                set_shares.set_agreement(
                    SYSTEM, organisation=next(iter(state.organisations)), gpu_milli=chance.choice([0, 3000]), price_permille=1000
                ),
            ]
        )
        return str(self.factory.perform(command))

    def scheduler(self) -> str:
        """The operator sets another policy of the scheduler."""
        name = self.chance.choice(["fifo", "easy", "default", "default", "none such"])
        return str(self.factory.perform(set_scheduler.command(SYSTEM, policy=name)))

    def rule(self) -> str:
        """Somebody sets a rule, or takes it away; what runs where it may not is found by the round."""
        state = self.factory.app.applier.state
        owner = self.chance.choice([*self.projects, *state.organisations])
        rule = self.chance.choice([NO_RULE, NO_RULE, *self.some_rules()])
        answer = self.factory.perform(set_rules.command(SYSTEM, owner=owner, rule=rule))
        return f"{owner} {answer}"

    def target(self) -> str:
        """A backup is written, and later its place is cleared."""
        self.factory.perform(use_target.command(SYSTEM, use="backup"))
        if self.chance.random() < 0.5:
            self.factory.perform(use_target.clear(SYSTEM, use="backup", site=self.factory.site.site))
        return ""

    def cap(self) -> str:
        """An operator caps the site, for a while or until it is lifted."""
        facts = self.factory.app.sites[self.factory.site.site]
        draw_mw = self.chance.choice([None, None, 0, 20_000, 60_000, 10**6])
        until_ms = self.chance.choice([0, self.factory.clock.now() + HOUR_MS])
        self.factory.perform(cap_power.command(SYSTEM, facts, site=facts.site, draw_mw=draw_mw, until_ms=until_ms))
        return f"{draw_mw} mW"

    def prove(self) -> str:
        """Somebody wants to know where the last job was."""
        if not self.jobs:
            return "nothing"
        self.factory.run_rounds(Round("prove", 1, lambda app: prove_residency.bundle(app, SYSTEM, self.jobs[-1])))
        return self.jobs[-1]

    def jump_clock(self) -> str:
        clock = self.factory.clock
        clock.set_wall(clock.wall() + self.chance.choice([-HOUR_MS, -5 * SECOND_MS, 5 * SECOND_MS, HOUR_MS]))
        self.factory.run_rounds()
        return ""

    def address(self) -> str:
        """Somebody says whom invoices go to, mostly all of it."""
        buyer = replace(FIRM, city=self.chance.choice(["Berlin", "Berlin", ""]))
        command = set_billing.command(SYSTEM, organisation=self.an_organisation(), buyer=buyer, seller_country="DE")
        self.factory.perform(command)
        return buyer.city

    def invoice(self) -> str:
        """The month that runs, or the one before, is billed."""
        now, organisation = self.factory.clock.now(), self.an_organisation()
        period = month_of(self.chance.choice([now, now - 31 * DAY_MS]))
        answer = self.factory.call(lambda app: issue_invoice.issue(app, SYSTEM, organisation, period))
        return str(answer.reason.value if isinstance(answer, Refusal) else answer["invoice"])

    def credit(self) -> str:
        """Some of an invoice is taken back, or all that is left of it."""
        rows = self.factory.store.rows("invoices", {"kind": "invoice"}).rows
        if not rows:
            return "nothing"
        number, cents = self.chance.choice(rows)["invoice"], self.chance.choice([1, None])
        answer = self.factory.call(lambda app: credit_invoice.credit(app, SYSTEM, number, cents, "a reason"))
        return str(answer.reason.value if isinstance(answer, Refusal) else answer["invoice"])

    def an_organisation(self) -> str:
        """The only one there is."""
        return next(iter(self.factory.app.applier.state.organisations))

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
