"""Metering as the application does it: intervals without holes, parts that are the meter, through restarts and gaps."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from eisbach.app import cap_power, explain_job, meter_energy
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import open_event
from eisbach.app.events_energy import EnergyMetered
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.metering.counter import Counted
from eisbach.core.metering.indicators import Carbon
from eisbach.core.power.budget import allowed_at, operate
from eisbach.core.scheduling.power import reckoned_mw
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.ports.meter import Channel, Part
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of
from tests.core.test_power import a_plant

KWH = 3_600_000_000
GERMANY = Carbon(grid_g_per_kwh=363, residual_g_per_kwh=700, renewable_permille=1000)


def an_equipped_site(*nodes, **changes):
    plant = a_plant(grid_mw=10**9)
    return replace(
        a_site(*nodes), power=plant.connection, stream=plant.stream, heat=plant.quarter, carbon=GERMANY, **changes
    )


def a_machine():
    """128 cores: 522 W at rest, 960 W when busy."""
    return NodeFacts(node="n1", pool="p", flavour="cpu", cpu_milli=128_000, memory_mib=262_144)


@pytest.fixture
def factory(tmp_path):
    factory = new_factory(tmp_path, site=an_equipped_site(a_machine()))
    factory.pass_time(-factory.clock.now() % HOUR_MS)
    metered(factory)
    return factory


METER = Round("meter", 1, meter_energy.meter_energy)
NOW = Round("meter now", 1, lambda app: meter_energy.meter_energy(app, now=True))


def metered(factory, by=NOW):
    """Run the round and return the intervals it made."""
    before = factory.store.log_size()
    factory.run_rounds(by)
    found = [open_event(one.data).body for one in factory.store.events(after_seq=before - 1)]
    return [body for body in found if isinstance(body, EnergyMetered)]


def intervals(factory):
    return [body for one in events_of(factory) if isinstance(body := open_event(one.data).body, EnergyMetered)]


def holds(body):
    """The parts are the meter."""
    racks = sum(own + idle for _, _, own, idle, *_ in body.jobs) + body.operator_idle_mj
    overhead = sum(one[4] for one in body.jobs) + body.operator_overhead_mj
    return racks == body.it_mj and overhead == body.losses_mj + body.cooling_mj


def test_a_job_has_its_own_its_idle_and_its_overhead(factory):
    """Half the machine for half an hour, all of what it booked busy: 109.5 Wh of its own and 130 Wh of the idle."""
    job = factory.submit(a_job("sleep 1800", cpus=64))
    factory.pass_time(HOUR_MS)
    (interval,) = metered(factory)
    assert holds(interval)
    ((name, project, own, idle, overhead, by_place, by_market),) = interval.jobs
    assert (name, project) == (job, factory.project)
    assert own == pytest.approx(109.5 / 1000 * KWH, rel=0.001)
    assert idle == pytest.approx(130.5 / 1000 * KWH, rel=0.001)
    assert overhead > 0
    assert by_place == pytest.approx((own + idle + overhead) / KWH * 363_000, abs=2)
    assert by_market == 0, "certificates cover all of it"
    assert interval.label == "simulated"
    check_all(factory)


def test_an_idle_factory_writes_one_interval_an_hour(factory):
    for _ in range(24 * 12):
        factory.pass_time(5 * MINUTE_MS)
        factory.run_rounds(METER)
    found = intervals(factory)[-24:]
    assert len(intervals(factory)) <= 26
    assert all(holds(one) and not one.jobs and not one.is_gap for one in found)
    assert {one.to_ms % HOUR_MS for one in found} == {0}


def test_a_bill_is_complete_soon_after_the_job_ended(factory):
    job = factory.submit(a_job("sleep 60", cpus=4))
    factory.pass_time(45 * SECOND_MS)
    assert metered(factory, METER) == [], "it still runs"
    factory.pass_time(20 * SECOND_MS)
    (interval,) = metered(factory, METER)
    assert [one[0] for one in interval.jobs] == [job]
    assert factory.app.applier.state.energy.ended == []
    assert metered(factory, METER) == [], "once"


def test_a_site_is_metered_soon_after_it_is_known(tmp_path):
    """Before its first reading a counter says nothing, and a page about the site has nothing to show."""
    factory = new_factory(tmp_path)
    factory.pass_time(29 * SECOND_MS)
    assert metered(factory, METER) == []
    factory.pass_time(SECOND_MS)
    assert len(metered(factory, METER)) == 1


def test_long_work_is_metered_each_quarter_of_an_hour(factory):
    factory.submit(a_job("sleep 7000", cpus=4, limit_s=9000))
    for _ in range(30):
        factory.pass_time(2 * MINUTE_MS)
        factory.run_rounds(METER)
    assert 3 <= len([one for one in intervals(factory) if one.jobs]) <= 5


def test_intervals_have_no_holes_across_crashes_and_never_cross_an_hour(factory):
    job = factory.submit(a_job("sleep 20000", cpus=8, limit_s=30_000))
    for number in range(20):
        factory.pass_time(17 * MINUTE_MS)
        factory.run_rounds(METER)
        if number % 3 == 0:
            factory = factory.restart(crash=number % 2 == 0)
    found = intervals(factory)
    assert all(one.to_ms == after.from_ms for one, after in pairwise(found))
    assert all(one.from_ms // HOUR_MS == (one.to_ms - 1) // HOUR_MS for one in found)
    assert all(holds(one) for one in found)
    rows = factory.store.rows("job_energy", {"job": job}, limit=1000).rows
    assert sum(row["own_mj"] for row in rows) == sum(one[2] for each in found for one in each.jobs)
    check_all(factory)


def test_a_gap_says_so_and_is_one_interval(factory):
    factory.pass_time(30 * HOUR_MS + MINUTE_MS)
    (gap,) = metered(factory, METER)
    assert gap.is_gap
    assert gap.to_ms - gap.from_ms == 30 * HOUR_MS
    assert holds(gap)


class FakeMeter:
    """Counters that a test sets."""

    def __init__(self):
        self.value_mj, self.origin, self.wraps_at_mj, self.watched_since_ms = 1_000, "boot 1", 0, 0
        self.parts = (Part.HOSTS,)

    def read(self):
        return [
            Channel(
                name=f"fake-{part.value}",
                part=part,
                counted=Counted(self.value_mj, self.origin, self.wraps_at_mj),
                most_mw=2_000_000,
                watched_since_ms=self.watched_since_ms,
            )
            for part in self.parts
        ]

    def says(self):
        return "fake"


@pytest.fixture
def counted(factory):
    meter = FakeMeter()
    factory.app.meters = {"here": meter}
    factory.app.sites = {"here": replace(factory.app.sites["here"], carbon=None)}
    factory.pass_time(SECOND_MS)
    metered(factory)
    meter.parts = (Part.HOSTS, Part.ACCELERATORS)
    factory.pass_time(SECOND_MS)
    metered(factory)
    return factory, meter


def test_what_counters_count_is_measured(counted):
    factory, meter = counted
    factory.pass_time(10 * MINUTE_MS)
    meter.value_mj += 77_777
    (interval,) = metered(factory)
    assert (interval.it_mj, interval.measured_mj, interval.label) == (2 * 77_777, 2 * 77_777, "measured")
    assert interval.carbon_location_mg is None
    assert holds(interval)


def test_a_counter_is_shared_out_at_the_full_hour_and_loses_nothing(counted):
    factory, meter = counted
    factory.pass_time(HOUR_MS - 3 * SECOND_MS)
    factory.pass_time(5 * SECOND_MS)
    meter.value_mj += 3_600_000
    first, second = metered(factory)
    assert first.to_ms % HOUR_MS == 0
    assert first.it_mj + second.it_mj == 2 * 3_600_000
    assert second.it_mj < first.it_mj // 100


def test_a_gap_is_covered_by_the_difference_of_the_counter(counted):
    factory, meter = counted
    factory.pass_time(DAY_MS - 2 * SECOND_MS)
    meter.value_mj += 10**9
    (gap,) = metered(factory, METER)
    assert gap.is_gap
    assert gap.label == "measured"
    assert gap.it_mj == 2 * 10**9


def test_a_counter_that_began_anew_leaves_one_modelled_interval(counted):
    factory, meter = counted
    factory.pass_time(10 * MINUTE_MS)
    meter.value_mj, meter.origin = 5, "boot 2"
    (interval,) = metered(factory)
    assert (interval.measured_mj, interval.label) == (0, "simulated")
    assert interval.it_mj > 0
    factory.pass_time(MINUTE_MS)
    meter.value_mj += 100
    assert metered(factory)[0].measured_mj == 200


def test_one_part_measured_is_not_all_measured(counted):
    factory, meter = counted
    meter.parts = (Part.ACCELERATORS,)
    factory.pass_time(10 * MINUTE_MS)
    meter.value_mj += 100
    (interval,) = metered(factory)
    assert interval.measured_mj == 100 < interval.it_mj
    assert interval.label == "simulated"


def test_a_counter_that_wraps_is_followed_across_a_restart_while_it_cannot_have_wrapped_twice(counted):
    factory, meter = counted
    meter.wraps_at_mj, meter.value_mj = 10**9, 10**9 - 50
    metered(factory)
    factory.pass_time(MINUTE_MS)
    metered(factory)
    factory.pass_time(MINUTE_MS)
    meter.value_mj, meter.watched_since_ms = 30, factory.clock.now()  # another process reads it
    assert metered(factory)[0].measured_mj == 2 * 80
    factory.pass_time(20 * MINUTE_MS)
    meter.value_mj, meter.watched_since_ms = 100, factory.clock.now()
    assert metered(factory)[0].measured_mj == 0, "in 20 minutes at 2 kW it may have wrapped twice"


def test_a_site_without_a_plant_has_no_overhead_and_says_that_it_has_none(tmp_path):
    factory = new_factory(tmp_path)
    factory.pass_time(HOUR_MS)
    found = metered(factory)
    assert all((one.has_plant, one.losses_mj, one.cooling_mj, one.stream, one.heat) == (False, 0, 0, None, None) for one in found)


# Caps.

CAP = Round("cap", 1, cap_power.cap_power)


def cap(factory, kw, until_ms=0):
    facts = factory.app.sites["here"]
    return factory.perform(
        cap_power.command(SYSTEM, facts, site="here", draw_mw=None if kw is None else round(kw * 1_000_000), until_ms=until_ms)
    )


def why(factory, job):
    return factory.ask(explain_job.question(job=job))


@pytest.fixture
def busy(factory):
    """The machine half full of on-demand work, half of spot."""
    kept = factory.submit(a_job("sleep 36000", cpus=60, grace_s=20, limit_s=40_000, name="kept"))
    spot = factory.submit(
        a_job("sleep 36000", cpus=60, grace_s=20, limit_s=40_000, name="spot", capacity_class=CapacityClass.SPOT)
    )
    factory.pass_time(MINUTE_MS)
    return factory, kept, spot


def test_a_cap_takes_from_spot_first_and_it_comes_back_uncharged(busy):
    factory, kept, spot = busy
    before = factory.app.applier.state.scheduler.power_caps
    assert before == {}
    reply = cap(factory, 51.57)
    assert 0 < reply["racks_mw"] < 1_000_000
    assert (factory.job(kept)["state"], factory.job(spot)["state"]) == ("running", "waiting")
    assert factory.job(spot)["reason"] == "POWER_CAP"
    assert factory.job(spot)["charged"] == 0
    (attempt,) = factory.attempts(spot)
    assert (attempt["outcome"], attempt["fault"], attempt["reason"]) == ("preempted", "preemption", "POWER_CAP")
    said = why(factory, spot)
    assert said["reason"] == "POWER_CAP"
    assert "would add" in said["text"]
    assert "operator" in said["text"]
    cap(factory, None)
    assert factory.job(spot)["state"] == "running"
    check_all(factory)


def test_a_cap_ends_when_it_said(busy):
    factory, _, spot = busy
    cap(factory, 51.57, until_ms=factory.clock.now() + HOUR_MS)
    factory.pass_time(HOUR_MS - 1)
    factory.run_rounds(CAP)
    assert factory.job(spot)["state"] == "waiting"
    factory.pass_time(1)
    factory.run_rounds(CAP)
    assert factory.job(spot)["state"] == "running"


def test_preempted_work_is_never_given_up(busy):
    factory, _, spot = busy
    for _ in range(15):
        cap(factory, 51.57)
        cap(factory, None)
    assert factory.job(spot)["state"] == "running"
    assert factory.app.applier.state.scheduler.jobs[spot].preemptions == 15
    check_all(factory)


def stream_of(factory, **changes):
    """The same site with another plant."""
    plant = a_plant(grid_mw=10**9, **changes)
    facts = replace(factory.app.sites["here"], power=plant.connection, stream=plant.stream)
    factory.app.sites = {"here": facts}
    return facts


def test_the_flow_halves_and_power_falls_to_the_limit_within_a_round(tmp_path):
    """A stream that just carries the machine, and then half of it; what is reserved for on-demand goes last."""
    nodes = [NodeFacts(node=f"n{n}", pool="p", flavour="h200.8", cpu_milli=64_000, memory_mib=65_536, gpus=8) for n in range(20)]
    factory = new_factory(tmp_path, site=an_equipped_site(*nodes), budget_eur=10**6)
    stream_of(factory, flow=45)
    factory.run_rounds(CAP)
    assert factory.app.applier.state.scheduler.power_caps == {}, "it carries all of it"
    jobs = [
        factory.submit(
            a_job("sleep 90000", cpus=8, gpus=8, flavour="h200", grace_s=10, limit_s=90_000, capacity_class=CapacityClass(kind))
        )
        for kind in ("on-demand", "spot") * 10
    ]
    facts = stream_of(factory, flow=22)
    factory.run_rounds(CAP)
    allowed = allowed_at(facts.plant, factory.clock.now()).it_mw
    scheduler = factory.app.applier.state.scheduler
    drawn = reckoned_mw(scheduler.fleet, "here", (job.shares for job in scheduler.holding.values()))
    assert drawn <= scheduler.power_caps["here"] <= allowed
    running = operate(facts.plant, drawn, factory.clock.now())
    assert running.rise_mk <= running.limits.rise_mk
    states = [factory.job(job)["state"] for job in jobs]
    assert states[0::2].count("waiting") == 0 or states[1::2].count("running") == 0, "spot gives way first"
    assert "waiting" in states[1::2]
    check_all(factory)


def test_a_plant_that_allows_what_is_there_writes_nothing(factory):
    size = factory.store.log_size()
    for _ in range(50):
        factory.pass_time(MINUTE_MS)
        factory.run_rounds(CAP)
    assert factory.store.log_size() == size


@pytest.mark.parametrize(
    ("site", "kw", "until_ms", "reason"),
    [
        ("nowhere", 5, 0, "NOT_FOUND"),
        ("here", -5, 0, "INVALID_ARGUMENT"),
        ("here", 10**9, 0, "INVALID_ARGUMENT"),
        ("here", 5, 1, "INVALID_ARGUMENT"),
    ],
)
def test_caps_that_cannot_be_are_refused(factory, site, kw, until_ms, reason):
    facts = factory.app.sites.get(site)
    command = cap_power.command(SYSTEM, facts, site=site, draw_mw=kw * 1_000_000, until_ms=until_ms)
    assert factory.perform(command).reason.value == reason
