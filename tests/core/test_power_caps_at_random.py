"""Random summers: series that nobody chose, work that comes and goes, and limits that hold at every instant."""

import random

import pytest

from eisbach.core.admission.cycle import decide
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.power.budget import allowed_at, allowed_within, operate
from eisbach.core.power.series import Series
from eisbach.core.scheduling.power import at_rest_mw
from eisbach.core.vocabulary.interval import month_start
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from tests.core.fleets import a_fleet, a_node, a_state
from tests.core.gpu_jobs import ON_DEMAND, SPOT, drawn, gpu_job
from tests.core.test_cycle import carry_out
from tests.core.test_power import a_plant

STEP_MS = 15 * MINUTE_MS


GRACE_MS = 10 * MINUTE_MS


def a_summer(chance):
    """A heat wave on low water, with recorded spikes; a connection that may be short."""
    start = month_start(2026, 6) + chance.randrange(80) * DAY_MS
    recorded = sorted(chance.sample(range(start, start + 3 * DAY_MS, HOUR_MS), 6))
    return start, a_plant(
        grid_mw=chance.randint(60, 140) * 1_000_000,
        air=Series(
            monthly=(chance.randint(15_000, 34_000),) * 12, hourly=tuple(500 * (12 - abs(14 - hour)) for hour in range(24))
        ),
        flow=Series(
            monthly=tuple(chance.randint(4, 25) for _ in range(12)),
            recorded_ms=tuple(recorded),
            recorded=tuple(chance.randint(1, 20) for _ in recorded),
        ),
        water=Series(
            monthly=tuple(chance.randint(12_000, 21_000) for _ in range(12)),
            hourly=tuple(chance.randint(-300, 900) for _ in range(24)),
        ),
        chillers_mw=chance.choice([0, 15_000_000]),
    )


class Summer:
    """Ten systems of eight GPUs, a plant for 100 kW, and people who want all of it."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.now, self.plant = a_summer(self.chance)
        nodes = (a_node(f"n{number}", cores=64, gpus=8, flavour="h200.8") for number in range(10))
        self.state, self.seq, self.power_stops = a_state(a_fleet(*nodes)), 0, 0

    def step(self):
        for job in list(self.state.holding.values()):
            is_over = job.stop_ms is not None and job.stop_ms + job.stop_grace_ms <= self.now
            if is_over or self.chance.random() < 0.1:
                after = JobState.WAITING if job.state is JobState.STOPPING else JobState.ENDED
                self.state.release(job, after=after)
        for _ in range(self.chance.randint(0, 3)):
            self.seq += 1
            kind = self.chance.choice([SPOT, ON_DEMAND])
            grace = self.chance.choice([0, MINUTE_MS, GRACE_MS])
            job = gpu_job(f"j{self.seq}", self.seq, gpus=self.chance.choice([1, 2, 8]), capacity_class=kind, grace_ms=grace)
            self.state.add(job)
        self.state.power_caps["here"] = allowed_within(self.plant, self.now, self.now + 2 * STEP_MS + GRACE_MS).it_mw
        plan = decide(self.state, self.now)
        carry_out(self.state, plan, self.now)
        sums = self.state.power
        assert sums.rest_mw("here") == at_rest_mw(self.state.fleet, "here")
        assert sums.rest_mw("here") + sums.work_mw("here") == drawn(self.state), "sums that are followed are those summed up"
        for stop in plan.stops:
            job = self.state.jobs[stop.job]
            job.state, job.stop_ms, job.stop_grace_ms = JobState.STOPPING, self.now, job.grace_ms
        self.check_rights(plan)
        self.power_stops += sum(1 for stop in plan.stops if stop.cause is StopCause.POWER_CAP)
        for later in (0, STEP_MS // 3, STEP_MS - 1):
            self.check_limits(self.now + later)
        self.now += STEP_MS

    def check_rights(self, plan):
        capped = [self.state.jobs[stop.job] for stop in plan.stops if stop.cause is StopCause.POWER_CAP]
        if any(job.capacity_class is ON_DEMAND for job in capped):
            staying = [job for job in self.state.holding.values() if job.state is not JobState.STOPPING]
            assert not [job.job for job in staying if job.capacity_class is SPOT], "spot gives way first"

    def check_limits(self, instant):
        """Nodes at rest cannot be turned off here; above that, neither permit nor connection is ever exceeded."""
        draw, rest = drawn(self.state), at_rest_mw(self.state.fleet, "here")
        if draw <= rest:
            return
        assert draw <= allowed_at(self.plant, instant).it_mw
        running = operate(self.plant, draw, instant)
        assert running.cooling.excess_mw == 0
        assert running.total_mw <= running.grid_allowed_mw
        assert running.rise_mk <= running.limits.rise_mk
        if running.cooling.stream_mw:
            assert running.water.temperature_mc + running.rise_mk <= running.limits.temperature_mc


def a_random_summer(seed):
    summer = Summer(seed)
    for _ in range(3 * DAY_MS // STEP_MS):
        summer.step()
    return summer.power_stops


def test_caps_hold_in_random_summers():
    assert sum(a_random_summer(seed) for seed in range(3)) > 10, "and they were put to the test"


@pytest.mark.prove
def test_caps_hold_in_a_thousand_random_summers():
    assert sum(a_random_summer(seed) for seed in range(1000)) > 1000
