"""A job from its submission to its end: what is refused, what waits and why, what is tried again and what it costs."""

from typing import ClassVar

import pytest

from eisbach.app import submit_job
from eisbach.app.commands import SYSTEM
from eisbach.app.record_observation import OWN_FAULT_TRIES_MAX
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.lifecycle import Fault, Outcome
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.scheduling.policy import NOTICE_MS
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.engine import Ending, Observation, StartOrder
from tests.app.asking import CORE_HOUR, lose, quote, state_of, thrown_back_twice, why
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all


def test_a_job_runs_to_its_end_and_costs_what_it_held(factory):
    job = factory.submit(a_job("sleep 90", limit_s=3600))
    assert state_of(factory, job) == ("running", "")
    factory.pass_time(90 * SECOND_MS)
    row = factory.job(job)
    assert (row["state"], row["outcome"], row["charged_ms"]) == ("ended", "succeeded", 90_000)
    assert row["charged"] == CORE_HOUR * 90_000 // HOUR_MS
    assert factory.app.applier.state.totals == {"submitted": 1, "succeeded": 1}
    check_all(factory)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (a_job(cpus=9), Reason.MORE_THAN_ANY_NODE),
        (a_job(nodes=9), Reason.MORE_THAN_THE_SITE),
        (a_job(gpus=1, flavour="h100"), Reason.NO_SUCH_FLAVOUR),
        (a_job(limit_s=10**9), Reason.OVER_BUDGET),
    ],
)
def test_what_can_never_run_is_refused_by_quote_and_submission_alike(factory, spec, reason):
    size = factory.store.log_size()
    for answer in (quote(factory, spec), factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=spec))):
        assert isinstance(answer, Refusal)
        assert answer.reason is reason
        assert answer.do
    assert factory.store.log_size() - size <= 1, "at most the month was opened"


def test_an_unknown_project_is_refused(factory):
    for answer in (
        quote(factory, a_job(), project="prj_nobody"),
        factory.perform(submit_job.command(SYSTEM, project="prj_nobody", spec=a_job())),
    ):
        assert isinstance(answer, Refusal)
        assert answer.reason is Reason.NOT_FOUND


def test_a_gpu_without_a_price_is_refused(tmp_path):
    node = NodeFacts(node="g", pool="p", flavour="b200.1", cpu_milli=8000, memory_mib=8192, gpus=1)
    factory = new_factory(tmp_path, site=a_site(node))
    assert quote(factory, a_job(gpus=1)).reason is Reason.NO_PRICE


def test_a_quote_says_what_the_job_then_costs(factory):
    spec = a_job("sleep 3600", nodes=2, cpus=2, limit_s=7200, grace_s=30)
    said = quote(factory, spec)
    job = factory.submit(spec)
    row = factory.job(job)
    assert (said["cap"], said["tariff"]) == (row["cap"], row["tariff"])
    assert (said["starts_at_once"], said["waits_for"], said["start_estimated_ms"]) == (True, "", factory.clock.now())
    factory.pass_time(HOUR_MS)
    assert factory.job(job)["charged"] == said["price_per_hour"]
    assert row["cap"] == -(-said["price_per_hour"] * (7200 + 30) // 3600)


def test_a_quote_of_what_has_to_wait_says_when_and_what_for(factory):
    factory.submit(a_job("sleep 3600", cpus=8, limit_s=3600))
    said = quote(factory, a_job(cpus=8))
    assert (said["starts_at_once"], said["start_promised_ms"]) == (False, factory.clock.now() + HOUR_MS)
    factory.submit(a_job(cpus=8, limit_s=2600 * 3600))
    assert quote(factory, a_job(cpus=8, limit_s=1000 * 3600))["waits_for"] == "BUDGET_RESERVED"


class RecordingEngine(SimulatedEngine):
    """Keeps the orders that it was told."""

    orders: ClassVar[dict[str, StartOrder]] = {}

    def start(self, order):
        self.orders[order.attempt_id] = order
        super().start(order)


def test_the_same_spec_is_read_back_for_the_engine(tmp_path):
    factory = new_factory(tmp_path, engine_type=RecordingEngine)
    spec = a_job("sleep 5", envs=(("A", "ä"),), outputs=("out",), setup="echo x", nodes=2)
    job = factory.submit(spec)
    order = RecordingEngine.orders[factory.attempts(job)[0]["attempt"]]
    assert (order.run, order.setup, order.envs, order.outputs) == (spec.run, spec.setup, spec.envs, spec.outputs)
    assert [task.rank for task in order.tasks] == [0, 1]
    assert (order.job_name, order.limit_ms) == (spec.name, spec.time_limit_ms)


# ---- ends and retries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "outcome", "code"), [("true", "succeeded", 0), ("sleep 1; exit 3", "failed", 3), ("sleep 4000", "timed_out", 143)]
)
def test_how_a_job_ends(factory, run, outcome, code):
    job = factory.submit(a_job(run))
    factory.pass_time(2 * HOUR_MS)
    row = factory.job(job)
    assert (row["outcome"], row["exit_code"]) == (outcome, code)
    check_all(factory)


def test_a_time_out_is_charged_to_the_limit_and_not_retried(factory):
    job = factory.submit(a_job("sleep 4000", limit_s=600, attempts=3))
    factory.pass_time(HOUR_MS)
    assert [one["outcome"] for one in factory.attempts(job)] == ["timed_out"]
    assert factory.job(job)["charged_ms"] == 600_000


def test_a_failure_of_the_customer_is_retried_by_his_rule_at_his_cost(factory):
    job = factory.submit(a_job("sleep 10; false", attempts=3))
    factory.pass_time(10 * SECOND_MS)
    assert factory.job(job)["state"] == "running", "the first retry comes at once"
    factory.pass_time(10 * SECOND_MS)
    assert why(factory, job)["reason"] == "RETRY_DELAY"
    assert factory.job(job)["state"] == "waiting"
    factory.pass_time(11 * SECOND_MS)
    row = factory.job(job)
    assert (row["outcome"], row["attempts"], row["charged_ms"]) == ("failed", 3, 30_000)
    assert [one["fault"] for one in factory.attempts(job)] == ["customer"] * 3
    check_all(factory)


def test_retries_end_with_the_time_limit(factory):
    job = factory.submit(a_job("sleep 40; false", attempts=100, limit_s=100))
    factory.pass_time(HOUR_MS)
    rows = factory.attempts(job)
    assert [one["held_ms"] for one in rows] == [40_000, 40_000, 20_000]
    assert (factory.job(job)["outcome"], factory.job(job)["charged_ms"]) == ("timed_out", 100_000)


def test_a_fault_of_ours_costs_nothing_and_is_retried_beyond_the_rule(factory):
    job = thrown_back_twice(factory)
    assert factory.job(job)["charged"] == 0
    assert why(factory, job)["reason"] == "RETRY_DELAY"
    factory.pass_time(601 * SECOND_MS)
    row = factory.job(job)
    assert (row["outcome"], row["attempts"], row["charged_ms"]) == ("succeeded", 3, 600_000)
    assert [one["fault"] for one in factory.attempts(job)] == ["operator", "operator", "none"]
    check_all(factory)


def test_delays_double_up_to_a_minute_and_the_last_fault_ends_the_job(factory):
    job = factory.submit(a_job("sleep 600"))
    delays = []
    while factory.job(job)["state"] != "ended":
        before = factory.clock.now()
        lose(factory, job)
        known = factory.app.applier.state.scheduler.jobs.get(job)
        if known is not None:
            delays.append(max(0, known.not_before_ms - before))
            factory.pass_time(delays[-1])
    assert delays == [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    assert factory.job(job)["attempts"] == OWN_FAULT_TRIES_MAX
    assert factory.job(job)["outcome"] == Outcome.LOST.value
    assert factory.job(job)["charged"] == 0


def test_who_was_thrown_back_by_us_is_first_in_line(factory):
    thrown = factory.submit(a_job("sleep 600", cpus=8))
    waiting = factory.submit(a_job("sleep 600", cpus=8))
    lose(factory, thrown)
    assert factory.job(thrown)["state"] == "running"
    assert factory.job(waiting)["state"] == "waiting"


def test_spot_makes_room_for_on_demand_and_comes_back(factory):
    spot = factory.submit(a_job("sleep 900", cpus=8, grace_s=20, capacity_class=CapacityClass.SPOT))
    factory.pass_time(660 * SECOND_MS)
    on_demand = factory.submit(a_job("sleep 600", cpus=1))
    assert (factory.job(spot)["state"], factory.job(spot)["reason"]) == ("stopping", "PREEMPTED")
    factory.pass_time(NOTICE_MS - 1)
    assert (factory.job(spot)["state"], factory.job(on_demand)["state"]) == ("stopping", "waiting")
    factory.pass_time(1)
    assert factory.job(on_demand)["state"] == "running"
    assert (factory.job(spot)["state"], factory.job(spot)["reason"]) == ("waiting", "PREEMPTED")
    assert [one["fault"] for one in factory.attempts(spot)] == ["preemption"]
    factory.pass_time(600 * SECOND_MS)
    assert factory.job(spot)["state"] == "running"
    factory.pass_time(900 * SECOND_MS)
    assert (factory.job(spot)["outcome"], factory.job(spot)["charged_ms"]) == ("succeeded", 900_000)
    check_all(factory)


def test_what_was_charged_hourly_is_given_back_when_it_was_our_fault(factory):
    job = factory.submit(a_job("sleep 90000", limit_s=90_000))
    factory.pass_time(5 * HOUR_MS)
    factory.run_rounds()
    assert factory.job(job)["charged"] == 5 * CORE_HOUR
    lose(factory, job)
    assert (factory.job(job)["charged"], factory.job(job)["charged_ms"]) == (0, 0)
    check_all(factory)


@pytest.mark.parametrize(
    ("ending", "outcome", "fault", "is_retried"),
    [
        (Ending.OUT_OF_MEMORY, Outcome.OUT_OF_MEMORY, Fault.CUSTOMER, False),
        (Ending.REFUSED, Outcome.REFUSED_LATE, Fault.CUSTOMER, False),
        (Ending.DISK_FULL, Outcome.LOST, Fault.OPERATOR, True),
        (Ending.LOST, Outcome.LOST, Fault.OPERATOR, True),
        (Ending.STOPPED, Outcome.LOST, Fault.OPERATOR, True),
    ],
)
def test_whose_fault_an_end_was(factory, ending, outcome, fault, is_retried):
    job = factory.submit(a_job("sleep 600", attempts=2))
    attempt = factory.attempts(job)[0]["attempt"]
    factory.pass_time(10 * SECOND_MS)
    seen = Observation(
        attempt_id=attempt,
        running_since_ms=factory.clock.now() - 10_000,
        held_ms=10_000,
        ending=ending,
        ended_at_ms=factory.clock.now(),
    )
    for _ in range(2):  # the second time it is over already
        factory.app.observed(seen)
        factory.settle()
    row = factory.attempts(job)[0]
    assert (row["outcome"], row["fault"]) == (outcome.value, fault.value)
    assert (row["charged_ms"] == 0) is fault.is_ours
    assert len(factory.attempts(job)) == (2 if is_retried else 1)


def test_an_observation_of_an_unknown_attempt_changes_nothing(factory):
    size = factory.store.log_size()
    factory.app.observed(Observation(attempt_id="att_nobody", running_since_ms=None, held_ms=0, ending=Ending.EXITED))
    factory.settle()
    assert factory.store.log_size() == size


def test_time_beyond_limit_and_grace_is_never_charged(factory):
    job = factory.submit(a_job("sleep 600", limit_s=600, grace_s=30))
    factory.pass_time(10 * SECOND_MS)
    seen = Observation(
        attempt_id=factory.attempts(job)[0]["attempt"],
        running_since_ms=factory.clock.now() - 10_000,
        held_ms=10_000_000,
        ending=Ending.TIMED_OUT,
        ended_at_ms=factory.clock.now(),
    )
    factory.app.observed(seen)
    factory.settle()
    row = factory.job(job)
    assert row["charged_ms"] == 630_000
    assert row["charged"] <= row["cap"] <= row["charged"] + 1


# ---- placement ---------------------------------------------------------------------------------------------------


def test_a_gang_of_two_starts_whole(factory):
    factory.submit(a_job("sleep 600", cpus=5, limit_s=600))
    gang = factory.submit(a_job("sleep 60", nodes=2, cpus=3))
    assert state_of(factory, gang) == ("waiting", "")
    factory.pass_time(600 * SECOND_MS)
    assert factory.attempts(gang)[0]["nodes"] == "n1 n1"
    check_all(factory)


def test_gpus_are_exclusive(tmp_path):
    node = NodeFacts(node="g", pool="p", flavour="h200.2", cpu_milli=8000, memory_mib=16_384, gpus=2)
    factory = new_factory(tmp_path, site=a_site(node))
    jobs = [factory.submit(a_job("sleep 60", gpus=1, flavour="h200")) for _ in range(3)]
    held = [job.shares[0].gpus for job in factory.app.applier.state.scheduler.holding.values()]
    assert sorted(held) == [(0,), (1,)]
    assert factory.job(jobs[2])["state"] == "waiting"
    factory.pass_time(60 * SECOND_MS)
    assert factory.job(jobs[2])["state"] == "running"
    assert factory.app.applier.state.gpu_milli_ms == {factory.project: 2 * 60_000 * 1000}


def test_a_short_job_goes_before_a_blocked_one_and_never_delays_it(factory):
    """EASY end to end: the wide job starts at the very instant that was kept for it."""
    factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    wide = factory.submit(a_job("sleep 60", cpus=8))
    kept = why(factory, wide)["start_promised_ms"]
    short = factory.submit(a_job("sleep 600", cpus=2, limit_s=600))
    too_long = factory.submit(a_job("sleep 600", cpus=2, limit_s=4000))
    assert [factory.job(job)["state"] for job in (short, wide, too_long)] == ["running", "waiting", "waiting"]
    factory.pass_time(3000 * SECOND_MS)
    assert factory.job(wide)["state"] == "running"
    assert factory.job(wide)["started_ms"] <= kept
    factory.pass_time(60 * SECOND_MS)
    assert factory.job(too_long)["state"] == "running"


def test_alternatives_are_taken_in_their_order(tmp_path):
    nodes = [
        NodeFacts(node="c", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=8192),
        NodeFacts(node="g", pool="p", flavour="h200.1", cpu_milli=4000, memory_mib=8192, gpus=1),
    ]
    factory = new_factory(tmp_path, site=a_site(*nodes))
    shapes = (
        NodeShape(cpu_milli=1000, memory_mib=0, gpus=1, flavour="h200"),
        NodeShape(cpu_milli=4000, memory_mib=0, flavour="cpu"),
    )
    spec = a_job("sleep 60")._replace(shapes=shapes)
    jobs = [factory.submit(spec) for _ in range(3)]
    assert [factory.attempts(job)[0]["nodes"] for job in jobs[:2]] == ["g", "c"]
    factory.pass_time(MINUTE_MS)
    charged = [factory.job(job)["charged"] for job in jobs[:2]]
    assert charged == [(36_000 + 3_600_000) // 60, 4 * 36_000 // 60]
    caps = {factory.job(job)["cap"] for job in jobs}
    assert caps == {36_000 + 3_600_000}, "the ceiling is that of the dearest alternative"


def test_a_retried_job_started_when_its_first_attempt_did(factory):
    job = factory.submit(a_job("sleep 10; false", attempts=2))
    began = factory.job(job)["started_ms"]
    factory.pass_time(12_000)
    assert factory.attempts(job)[1]["running_ms"] == factory.job(job)["running_ms"] > began
    assert factory.job(job)["started_ms"] == began
