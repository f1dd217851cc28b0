"""Rounds change nothing the second time; a factory that is opened again is the one that was closed."""

from copy import copy

import pytest

from eisbach.app import cancel_job
from eisbach.app import writer as writer_module
from eisbach.app.commands import SYSTEM
from eisbach.app.snapshot import UnreadableSnapshot, decode_state, encode_state, fingerprint
from eisbach.core.vocabulary.quantities import HOUR_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason
from eisbach.ports.store import StoreFull, StoreUnavailable
from tests.app.factory import a_job
from tests.app.invariants import check_all, check_rebuilt


def busy(factory):
    """Jobs in every state that lasts: running, waiting for room, for money, for a delay."""
    factory.submit(a_job("sleep 7200", cpus=3, limit_s=7200))
    lost = factory.submit(a_job("sleep 600", cpus=1))
    factory.submit(a_job("sleep 60", cpus=8))
    factory.submit(a_job("sleep 60", limit_s=24_900 * 3600))
    factory.submit(a_job("sleep 60", limit_s=24_000 * 3600))
    for _ in range(2):
        factory.engine.lose(str(factory.app.applier.state.scheduler.jobs[lost].attempt))
        factory.settle()
    scheduler = factory.app.applier.state.scheduler
    assert (len(scheduler.delayed), len(scheduler.unfunded), len(scheduler.queue) > 0) == (1, 1, True)
    return factory


def test_rounds_change_nothing_the_second_time(factory):
    busy(factory)
    factory.pass_time(2 * HOUR_MS)
    factory.run_rounds()
    size = factory.store.log_size()
    for _ in range(2):
        factory.run_rounds()
        assert factory.store.log_size() == size
    check_all(factory)


@pytest.mark.parametrize("crash", [True, False])
def test_a_restart_gives_the_same_state_and_work_goes_on(factory, crash):
    busy(factory)
    before = fingerprint(factory.app.applier.state)
    check_rebuilt(factory)
    again = factory.restart(crash=crash)
    assert (again.store.load_snapshot() is None) is crash
    state = again.app.applier.state
    state.next_seq, state.last_ms, next_seq = factory.app.applier.state.next_seq, factory.app.applier.state.last_ms, state.next_seq
    assert fingerprint(state) == before, "but for the start itself nothing happened"
    state.next_seq = next_seq
    check_all(again)
    again.run_rounds()
    again.pass_time(3 * HOUR_MS)
    assert {one.ending for one in again.engine.observe()} <= {None}
    check_all(again)


def test_snapshots_are_taken_on_the_way_and_read(factory, monkeypatch):
    monkeypatch.setattr(writer_module, "SNAPSHOT_EVERY", 5)
    busy(factory)
    seq, data = factory.store.load_snapshot()
    assert seq > 10
    assert decode_state(data).next_seq == seq + 1
    again = factory.restart()
    check_all(again)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: b"\xc1" + data])
def test_a_snapshot_that_cannot_be_read_only_costs_time(factory, damage):
    busy(factory)
    with pytest.raises(UnreadableSnapshot):
        decode_state(damage(encode_state(factory.app.applier.state)))
    factory.app.stop()
    seq, data = factory.store.load_snapshot()
    factory.store._snapshots[seq] = damage(data)
    again = factory.restart()
    assert len(again.app.applier.state.scheduler.jobs) == len(factory.app.applier.state.scheduler.jobs)
    check_all(again)


def test_names_come_back_from_their_texts(factory):
    again = factory.restart(crash=False)
    assert [one.name for one in again.app.applier.state.projects.values()] == ["project"]
    assert [one.name for one in again.app.applier.state.organisations.values()] == ["Org"]
    again.store.erase_text(f"{again.project}/name")
    third = again.restart()
    assert third.app.applier.state.project_named("project") is None
    assert third.app.applier.state.project_named(third.project) == third.project
    check_all(third)


@pytest.mark.parametrize("error", [StoreFull("full"), StoreUnavailable("gone")])
def test_a_failed_commit_leaves_memory_as_the_store_is(factory, monkeypatch, error):
    busy(factory)
    before = fingerprint(factory.app.applier.state)

    def fail(batch, epoch):
        raise error

    monkeypatch.setattr(factory.store, "commit", fail)
    job = next(iter(factory.app.applier.state.scheduler.jobs))
    answer = factory.perform(cancel_job.command(SYSTEM, job=job))
    assert answer.reason.is_retryable
    assert fingerprint(factory.app.applier.state) == before
    assert factory.app.applier.failure
    monkeypatch.undo()
    assert factory.perform(cancel_job.command(SYSTEM, job=job))["state"] == "stopping"
    assert factory.app.applier.failure == ""
    check_all(factory)


def test_an_attempt_the_engine_has_forgotten_is_lost_and_tried_again(factory):
    job = factory.submit(a_job("sleep 600"))
    factory.pass_time(10 * SECOND_MS)
    del factory.engine._attempts[factory.attempts(job)[0]["attempt"]]
    factory.engine._due.clear()
    factory.run_rounds()
    assert [one["fault"] for one in factory.attempts(job)] == ["operator", ""]
    factory.pass_time(600 * SECOND_MS)
    assert factory.job(job)["outcome"] == "succeeded"
    check_all(factory)


def test_work_that_only_the_engine_knows_is_stopped(factory):
    """A restored store does not know attempts that were planned after the backup."""
    job = factory.submit(a_job("sleep 600"))
    attempt = factory.attempts(job)[0]["attempt"]
    factory.engine._attempts["att_stranger"] = copy(factory.engine._attempts[attempt])
    factory.run_rounds()
    assert factory.engine._attempts["att_stranger"].ended_ms is not None
    assert factory.job(job)["state"] == "running"
    factory.run_rounds()
    assert [one.attempt_id for one in factory.engine.observe()] == [attempt]


def test_a_clock_that_is_set_back_is_noted_once_and_time_goes_on(factory):
    last = factory.app.applier.state.last_ms
    factory.clock.set_wall(factory.clock.wall() - HOUR_MS)
    for _ in range(2):
        factory.run_rounds()
    kinds = [sealed.kind for sealed in factory.store.events(after_seq=-1, limit=1000)]
    assert kinds.count("clock.jumped") == 1
    assert factory.app.applier.state.last_ms >= last
    check_all(factory)


def test_what_fails_after_a_commit_is_not_decided_a_second_time(factory, monkeypatch):
    def fail(draft):
        raise RuntimeError("whoever was to be told")

    monkeypatch.setattr(factory.app.applier, "on_commit", fail)
    answer = factory.submit(a_job("sleep 10"))
    monkeypatch.undo()
    assert factory.app.applier.state.totals == {"submitted": 1}
    assert factory.store.row("jobs", answer) is not None
    factory.run_rounds()
    factory.pass_time(10 * SECOND_MS)
    assert factory.store.row("jobs", answer)["outcome"] == "succeeded", "the round told the engine what was missed"
    check_all(factory)


def test_nobody_waits_for_an_applier_that_has_ended(factory, monkeypatch):
    applier = factory.app.applier
    asked = [applier.perform(cancel_job.command(SYSTEM, job="job_none")), applier.ask(lambda state, now: now)]

    def end():
        raise SystemExit("a bug nobody foresaw")

    monkeypatch.setattr(applier, "run_once", end)
    with pytest.raises(SystemExit):
        applier._run()
    late = applier.perform(cancel_job.command(SYSTEM, job="job_none"))
    assert "SystemExit" in applier.failure, "healthz says that it takes no work"
    assert [one.result(timeout=0).reason for one in (asked[0], late)] == [Reason.NOT_LEADER] * 2
    assert isinstance(asked[1].exception(timeout=0), StoreUnavailable)
