"""A past with all that a log tells: played once more it decides the same, and each part of it decides something."""

from dataclasses import replace

import pytest
from msgspec import structs

from eisbach.adapters.signing import signer_from
from eisbach.app import (
    book_capacity,
    cap_power,
    close_nodes,
    create_organisation,
    create_project,
    quote_capacity,
    set_budget,
    set_rules,
    set_scheduler,
    set_shares,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.events_booking import BookingMade
from eisbach.app.events_energy import EnergyMetered
from eisbach.app.site_facts import TariffFacts
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape
from eisbach.core.scheduling.policy import EASY
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, Instant
from eisbach.engines.simulated.script import Course
from eisbach.stores.memory import MemoryStore
from eisbach.twin.checked import CHECKED
from eisbach.twin.figures import Figures
from eisbach.twin.past import UNKNOWABLE, Past, events_in
from eisbach.twin.run import Act, run
from eisbach.twin.scenario import Scenario
from eisbach.twin.world import ORIGIN, START_MS, World
from tests.twin.traces import a_site

PRICES = TariffFacts(version="ours", label="ours", core_hour=0, memory_gib_hour=0, gpu_hour={"*": EURO}, spot_permille=500)
WHOLE = NodeShape(cpu_milli=96_000, memory_mib=8 * 98_304, gpus=8, flavour="b200.8")
H200 = replace(WHOLE, flavour="h200.8")
HERE = structs.replace(a_site(2), is_metered=False)
THERE = structs.replace(
    a_site(2), site="there", country="AT", is_metered=False,
    nodes=tuple(structs.replace(node, node=f"t-{node.node}", flavour="h200.8") for node in a_site(2).nodes),
)  # fmt: skip


class Life:
    """A factory that lives for some hours; each thing that somebody does is told from its first instant on."""

    def __init__(self):
        self.world = World((HERE, THERE), store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)), prices=(PRICES,))
        self.figures = Figures(self.world)
        self.acts = []
        self.booking = ""
        made = self.world.perform(create_organisation.command(SYSTEM, name="parent", segment="research"))
        self.parent = made["organisation"]
        for name in ("ann", "bob"):
            child = self.world.perform(create_organisation.command(SYSTEM, name=name, parent=self.parent, segment="research"))
            command = create_project.command(SYSTEM, organisation=child["organisation"], name=name, budget_micro_eur=10**6 * EURO)
            self.world.projects[name] = self.world.perform(command)["project"]

    def does(self, minute, command):
        self.acts.append(Act(START_MS + minute * MINUTE_MS, lambda world: world.perform(command(world))))

    def submits(self, minute, whose, lasts_min, shapes=(WHOLE,), *, nodes=1, limit_min=None, inside=False, placement=NO_RULE):
        def act(world):
            spec = JobSpec(
                name="job", nodes=nodes, shapes=tuple(shapes), run="", time_limit_ms=(limit_min or lasts_min + 10) * MINUTE_MS,
                checkpoint=CheckpointRule(grace_ms=1000), placement=placement, booking=self.booking if inside else "",
                capacity_class=CapacityClass.RESERVED if inside else CapacityClass.ON_DEMAND,
            )  # fmt: skip
            (answer,) = world.decide([submit_job.command(SYSTEM, project=world.projects[whose], spec=spec)])
            world.courses[answer["job"]] = Course(lasts_min * MINUTE_MS, 0)
            world.rest()

        self.acts.append(Act(START_MS + minute * MINUTE_MS, act))

    def books(self, minute, whose, from_min, until_min):
        def act(world):
            wanted = quote_capacity.Wanted(
                flavour="b200.8", nodes=1, length_ms=(until_min - from_min) * MINUTE_MS, from_ms=Instant(START_MS + from_min * MINUTE_MS)
            )
            quoted = world.perform(quote_capacity.command(SYSTEM, world.application.sites, project=world.projects[whose], wanted=wanted))
            option = quoted["options"][0]["option"]
            made = world.perform(book_capacity.command(SYSTEM, world.application.sites, project=world.projects[whose], option=option))
            self.booking = made["booking"]

        self.acts.append(Act(START_MS + minute * MINUTE_MS, act))

    def lived(self):
        run(self.world, [], acts=sorted(self.acts, key=lambda act: act.at_ms))
        assert not self.world.state.scheduler.jobs
        return self.figures.plan_hash.hexdigest()


def replayed(life, **window):
    past = Past(events_in(life.world.store), **window)
    scenario = Scenario(
        sites=past.sites(), workload=past, acts=past.acts(), start_ms=past.begin_ms, prices=past.prices(), refuse=past.refuse,
        unknown=past.unknown, checkpoint_ms=None, checking=CHECKED,
    )  # fmt: skip
    return scenario.document(scenario.play(scenario.world()))


def shares(life):
    """Bob's part of four nodes is a third of ann's, and both want all of them again and again."""

    def organisation(world, whose):
        return world.state.projects[world.projects[whose]].organisation

    life.does(0, lambda world: set_shares.set_share(SYSTEM, owner=organisation(world, "bob"), weight=10))
    life.does(95, lambda world: set_shares.set_share(SYSTEM, owner=organisation(world, "ann"), weight=1))
    life.does(200, lambda world: set_shares.set_quota(SYSTEM, owner=world.projects["ann"], gpu_milli=8000))
    for minute in range(1, 11):
        for whose in ("ann", "bob"):
            life.submits(minute, whose, 30, nodes=2)


def rules(life):
    """Bob's work leaves the country no more after an hour; before that his second shape was elsewhere."""
    life.does(60, lambda world: set_rules.command(SYSTEM, owner=world.projects["bob"], rule=PlacementRule(countries=("DE",))))
    for minute in (1, 2, 3, 61, 62, 63):
        life.submits(minute, "bob", 50, (WHOLE, H200))
    life.submits(64, "ann", 50, (WHOLE, H200), placement=PlacementRule(countries=("AT",)))


def budgets(life):
    """A second job has no money before the budget is raised."""
    life.does(0, lambda world: set_budget.command(SYSTEM, project=world.projects["bob"], budget_micro_eur=10 * EURO))
    life.does(90, lambda world: set_budget.command(SYSTEM, project=world.projects["bob"], budget_micro_eur=1000 * EURO))
    for minute in (1, 2):
        life.submits(minute, "bob", 50)


def bookings(life):
    """One of two nodes is booked from the second hour on, and its owner works there for the first half of it."""
    life.submits(1, "bob", 30)
    life.books(5, "ann", 120, 240)
    life.submits(10, "ann", 60, inside=True)
    for minute in (20, 30, 40, 50):
        life.submits(minute, "bob", 100)


def caps_and_closures(life):
    """The power of one site is capped for an hour, and a node of it is closed for maintenance after that."""
    life.submits(1, "ann", 20)
    life.does(5, lambda world: cap_power.command(SYSTEM, world.application.sites["small"], site="small", draw_mw=14 * 10**6))
    life.does(65, lambda world: cap_power.command(SYSTEM, world.application.sites["small"], site="small", draw_mw=None))
    life.does(
        70, lambda world: close_nodes.command(SYSTEM, targets=Targets(names=("n1",)), from_ms=START_MS + 80 * MINUTE_MS, length_ms=HOUR_MS, is_forced=True)
    )
    for minute in (30, 31, 72, 73, 74):
        life.submits(minute, "ann", 15)


@pytest.mark.parametrize("part", [shares, rules, budgets, bookings, caps_and_closures])
def test_what_the_log_tells_decides_the_same_once_more(part):
    life = Life()
    part(life)
    plan_hash = life.lived()
    document = replayed(life)
    assert document["plan_hash"] == plan_hash
    assert document["violations"] == 0
    assert document["unknown"] == list(UNKNOWABLE), "nothing was refused and nothing left out"
    assert document["revenue_eur"] == pytest.approx(revenue(life.world))


def revenue(world):
    return sum(balance for name, balance in world.state.ledger.balances.items() if name.endswith("/charged")) / EURO


@pytest.mark.parametrize("part", [shares, rules, budgets, bookings, caps_and_closures])
def test_each_part_decides_something(part):
    """Without what was set the same jobs go elsewhere, or at other times: the test above would notice what is not played."""
    life, bare = Life(), Life()
    part(life)
    part(bare)
    plan_hash = life.lived()
    bare.acts = [act for act in bare.acts if "submits" in act.act.__qualname__]
    assert bare.lived() != plan_hash


def test_a_part_of_the_past_begins_as_it_was_found():
    """A budget, a rule and a booking of before are there at the first instant of the part."""
    life = Life()
    bookings(life)
    life.does(2, lambda world: set_rules.command(SYSTEM, owner=world.projects["bob"], rule=PlacementRule(countries=("DE",))))
    life.lived()
    past = Past(events_in(life.world.store), from_ms=START_MS + 15 * MINUTE_MS)
    assert past.begin_ms == START_MS + 20 * MINUTE_MS
    scenario = Scenario(sites=past.sites(), workload=past, acts=past.acts(), start_ms=past.begin_ms, prices=past.prices(), unknown=past.unknown)
    world = scenario.world()
    result = scenario.play(world)
    assert (result.jobs, result.finished) == (4, 4)
    assert past.unknown() == list(UNKNOWABLE)
    assert [one.limits for one in world.state.policy.rules.values()] == [(("countries", ("DE",)),)]
    charged = {name.split("/")[0] for name, balance in world.state.ledger.balances.items() if name.endswith("/charged") and balance}
    assert world.projects[life.world.projects["ann"]] in charged, "the booking is paid for"


def test_what_cannot_be_played_again_is_counted():
    """The rule that holds at the end would have refused the job; the window that was booked is over."""
    life = Life()
    life.submits(1, "bob", 30, (H200,))
    life.submits(2, "bob", 30)
    life.lived()
    past = Past(events_in(life.world.store))
    rule = set_rules.command(SYSTEM, owner="", rule=NO_RULE)  # an owner that is not there
    acts = [*past.acts(), Act(past.begin_ms, lambda world: past._again.ask(world, "a rule about places", rule))]
    forbid = Act(
        past.begin_ms + MINUTE_MS // 2,
        lambda world: world.perform(
            set_rules.command(SYSTEM, owner=world.projects[life.world.projects["bob"]], rule=PlacementRule(countries=("AT",)))
        ),
    )
    scenario = Scenario(
        sites=past.sites(), workload=past, acts=[*acts, forbid], start_ms=past.begin_ms, prices=past.prices(), refuse=past.refuse, unknown=past.unknown
    )
    document = scenario.document(scenario.play(scenario.world()))
    assert document["unknown"][:2] == [
        "1 job is refused that was accepted then: RESIDENCY_FORBIDDEN", "a rule about places (NOT_FOUND) is refused once",
    ]  # fmt: skip


def test_the_rest_of_a_window_that_was_open_at_the_beginning_is_booked():
    """The part begins within a minute of an hour that is booked already; its owner works in what is left of the window."""
    life = Life()
    life.books(5, "ann", 60, 240)
    life.submits(61, "ann", 20, inside=True)
    life.submits(125, "bob", 300)
    life.acts[-1] = Act(life.acts[-1].at_ms + 20_000, life.acts[-1].act)
    life.submits(130, "ann", 50, inside=True)
    life.submits(131, "bob", 100)
    life.lived()
    document = replayed(life, from_ms=START_MS + 120 * MINUTE_MS)
    assert document["jobs"] == 3
    assert not [line for line in document["unknown"] if "finds no such option" in line]
    past = Past(events_in(life.world.store), from_ms=START_MS + 120 * MINUTE_MS)
    scenario = Scenario(sites=past.sites(), workload=past, acts=past.acts(), start_ms=past.begin_ms, prices=past.prices(), refuse=past.refuse)
    world, made = scenario.world(), []
    world.application.listeners.append(lambda draft: made.extend(body for body in draft.bodies if isinstance(body, BookingMade)))
    scenario.play(world)
    (booked,) = made
    assert (booked.from_ms, booked.until_ms) == (START_MS + 125 * MINUTE_MS, START_MS + 240 * MINUTE_MS)
    assert past._bookings.asked == past._bookings.booked == 1


def test_the_policy_that_held_last_is_played_with_its_numbers():
    life = Life()
    life.does(0, lambda world: set_scheduler.command(SYSTEM, policy="easy", notice_ms=120_000, minimum_run_ms=0, half_life_hours=36))
    life.submits(1, "ann", 30)
    life.does(20, lambda world: set_scheduler.command(SYSTEM, policy="easy", notice_ms=60_000, minimum_run_ms=0, half_life_hours=36))
    life.lived()
    past = Past(events_in(life.world.store))
    assert past.policy == replace(EASY, notice_ms=60_000, minimum_run_ms=0, half_life_hours=36)
    world = Scenario(sites=past.sites(), workload=past, policy=past.policy, start_ms=past.begin_ms).world()
    assert world.state.scheduler.policy == past.policy
    assert "the scheduler's policy was set once meanwhile: one is played throughout" in past.unknown()


def test_energy_is_that_of_the_racks_where_sites_were_metered():
    life = Life()
    life.world = World((structs.replace(HERE, is_metered=True), THERE), store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)), prices=(PRICES,))
    made = life.world.perform(create_organisation.command(SYSTEM, name="ann", segment="research"))
    command = create_project.command(SYSTEM, organisation=made["organisation"], name="ann", budget_micro_eur=10**6 * EURO)
    life.world.projects["ann"] = life.world.perform(command)["project"]
    life.submits(1, "ann", 300)
    metered = []
    life.world.application.listeners.append(lambda draft: metered.extend(body for body in draft.bodies if isinstance(body, EnergyMetered)))
    run(life.world, [], acts=life.acts)
    document = replayed(life)
    assert document["energy_kwh"] == pytest.approx(sum(one.it_mj for one in metered) / 3.6e9, rel=0.01)
    assert document["pue"] is None
    assert any("energy is that of the racks alone" in line for line in document["unknown"])
