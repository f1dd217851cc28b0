"""Promised starts and the scheduler's policy: in the log, kept over a restart, kept by the factory, refused where they are wrong."""

import pytest

from eisbach.app import cancel_job, explain_job, quote_job, set_scheduler
from eisbach.app.commands import SYSTEM
from eisbach.app.snapshot import decode_state, encode_state, fingerprint
from eisbach.core.vocabulary.quantities import HOUR_MS, SECOND_MS
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
    said = factory.ask(quote_job.question(project=factory.project, spec=a_job("sleep 60", cpus=8)))
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
