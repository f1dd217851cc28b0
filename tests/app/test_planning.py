"""Promised starts and the scheduler's policy: in the log, kept over a restart, kept by the factory, refused where they are wrong."""

import pytest

from eisbach.app import cancel_job, explain_job, quote_job, set_scheduler
from eisbach.app.commands import SYSTEM
from eisbach.app.snapshot import decode_state, encode_state, fingerprint
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job


def promises(factory):
    return factory.app.applier.state.scheduler.calendar.promises


def rows(factory):
    return factory.store.rows("start_promises", {}, cursor=None, limit=100).rows


def test_the_first_that_waits_is_promised_a_start_and_gets_it(factory):
    factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    head = factory.submit(a_job("sleep 60", cpus=8))
    promised_ms = promises(factory)[head].from_ms
    assert promised_ms == factory.clock.now() + HOUR_MS
    answer = factory.ask(explain_job.question(job=head))
    assert (answer["start_promised_ms"], answer["start_estimated_ms"]) == (promised_ms, None)
    assert [(row["job"], row["from_ms"], row["broken_by"]) for row in rows(factory)] == [(head, promised_ms, "")]
    factory.pass_time(3000 * SECOND_MS)
    assert factory.job(head)["state"] == "running"
    assert not promises(factory)
    assert len(rows(factory)) == 1, "what is kept needs no further event"


def test_what_would_be_promised_is_said_before_it_is_submitted_and_changes_nothing(factory):
    factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    before = fingerprint(factory.app.applier.state)
    said = factory.ask(quote_job.question(project=factory.project, spec=a_job("sleep 60", cpus=8), by=SYSTEM.token))
    assert (said["starts_at_once"], said["start_promised_ms"]) == (False, factory.clock.now() + HOUR_MS)
    assert fingerprint(factory.app.applier.state) == before
    assert not promises(factory)
    head = factory.submit(a_job("sleep 60", cpus=8))
    assert promises(factory)[head].from_ms == said["start_promised_ms"]


@pytest.mark.parametrize("crash", [True, False])
def test_promises_and_the_policy_outlive_a_restart(factory, crash):
    factory.perform(set_scheduler.command(SYSTEM, policy="easy"))
    factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    head = factory.submit(a_job("sleep 60", cpus=8))
    known = promises(factory)[head]
    state = factory.app.applier.state
    assert fingerprint(decode_state(encode_state(state))) == fingerprint(state)
    factory = factory.restart(crash=crash)
    assert promises(factory)[head] == known
    assert factory.app.applier.state.scheduler.policy.name == "easy"


def test_a_job_that_is_cancelled_gives_its_promise_back(factory):
    from_other = factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    head = factory.submit(a_job("sleep 60", cpus=8))
    second = factory.submit(a_job("sleep 60", cpus=7))
    factory.perform(cancel_job.command(SYSTEM, job=head))
    assert head not in promises(factory)
    assert second in promises(factory)
    assert factory.job(from_other)["state"] == "running"


def test_the_policy_is_an_act_of_the_operator_in_the_log(factory):
    shown = factory.perform(set_scheduler.command(SYSTEM, policy="fifo"))
    assert (shown["policy"], shown["backfill"], shown["changed"]) == ("fifo", "none", True)
    assert not factory.perform(set_scheduler.command(SYSTEM, policy="fifo"))["changed"]
    assert [row["policy"] for row in factory.store.rows("scheduler_policies", {}, cursor=None, limit=10).rows] == ["fifo"]
    factory.submit(a_job("sleep 3000", cpus=6, limit_s=3600))
    factory.submit(a_job("sleep 60", cpus=8))
    short = factory.submit(a_job("sleep 60", cpus=1, limit_s=60))
    assert factory.job(short)["state"] == "waiting"
    assert not promises(factory)
    factory.perform(set_scheduler.command(SYSTEM, policy="default"))
    assert factory.job(short)["state"] == "running"


def test_a_policy_that_nobody_knows_is_refused(factory):
    refusal = factory.perform(set_scheduler.command(SYSTEM, policy="lifo"))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.INVALID_ARGUMENT
    assert "fifo, easy, default" in refusal.do


def used_to_take_a_tenth(factory):
    """Two jobs that left nine tenths of their limits, and one that runs for all the machine: ten hours, an hour as predicted."""
    for _ in range(2):
        factory.submit(a_job("sleep 360", limit_s=3600))
        factory.pass_time(361 * SECOND_MS)
    factory.submit(a_job("sleep 36000", cpus=8, limit_s=36_000))
    return factory.clock.now()


def spot():
    return a_job("sleep 60", cpus=8, limit_s=600, capacity_class=CapacityClass.SPOT)


def test_an_estimate_is_dated_by_predictions_and_a_promise_by_limits(factory):
    """It took all that runs to last as long as it may, which it hardly ever does."""
    begun_ms = used_to_take_a_tenth(factory)
    plan = quote_job.question(project=factory.project, spec=spot(), by=SYSTEM.token)
    said = factory.ask(plan)
    assert (said["starts_at_once"], said["start_promised_ms"]) == (False, None)
    assert abs(said["start_estimated_ms"] - begun_ms - HOUR_MS) < MINUTE_MS
    waits = factory.submit(spot())
    assert factory.ask(explain_job.question(job=waits))["start_estimated_ms"] == said["start_estimated_ms"]
    head = factory.ask(quote_job.question(project=factory.project, spec=a_job("sleep 60", cpus=8), by=SYSTEM.token))
    assert (head["start_promised_ms"], head["start_estimated_ms"]) == (begun_ms + 10 * HOUR_MS, None)
    factory.pass_time(2 * HOUR_MS)
    assert factory.ask(plan)["start_estimated_ms"] == begun_ms + 10 * HOUR_MS, "what has outrun its prediction counts with its limit"


def test_a_plan_says_how_long_the_job_will_run_by_what_the_last_ones_took(factory):
    used_to_take_a_tenth(factory)
    for by, predicted_s in ((SYSTEM.token, 60), ("somebody else", 600), ("", 600)):
        said = factory.ask(quote_job.question(project=factory.project, spec=spot(), by=by))
        assert abs(said["predicted_ms"] - predicted_s * SECOND_MS) < SECOND_MS
    waits = factory.submit(spot())
    assert factory.app.applier.state.scheduler.jobs[waits].predicted_ms == factory.ask(
        quote_job.question(project=factory.project, spec=spot(), by=SYSTEM.token)
    )["predicted_ms"], "it stands in the queue where the plan took it to stand"
