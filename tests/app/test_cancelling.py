"""Jobs that are cancelled: waiting, starting, running, and while they stop already."""

from eisbach.app import cancel_job
from eisbach.app.commands import SYSTEM
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.asking import state_of, why
from tests.app.factory import a_job, new_factory
from tests.app.invariants import check_all


def cancel(factory, job):
    return factory.perform(cancel_job.command(SYSTEM, job=job))


def test_a_waiting_job_is_cancelled_at_once_and_gives_its_reservation_back(factory):
    factory.submit(a_job("sleep 3600", cpus=8))
    job = factory.submit(a_job(cpus=8))
    assert cancel(factory, job)["state"] == "ended"
    assert state_of(factory, job) == ("ended", "cancelled")
    assert factory.job(job)["charged"] == 0
    assert cancel(factory, job).reason is Reason.ALREADY_ENDED
    check_all(factory)


def test_a_job_without_money_is_cancelled_at_once(factory):
    factory.submit(a_job("sleep 3600", limit_s=24_000 * 3600))
    job = factory.submit(a_job(limit_s=2000 * 3600))
    assert cancel(factory, job)["outcome"] == "cancelled"
    check_all(factory)


def test_a_starting_job_is_cancelled_and_costs_nothing(tmp_path):
    factory = new_factory(tmp_path, start_ms=5000)
    job = factory.submit(a_job("sleep 600"))
    assert state_of(factory, job) == ("starting", "")
    cancel(factory, job)
    assert state_of(factory, job) == ("ended", "cancelled")
    assert factory.job(job)["charged"] == 0
    check_all(factory)


def test_a_running_job_is_stopped_and_pays_for_what_it_held(factory):
    job = factory.submit(a_job("sleep 600", attempts=5))
    factory.pass_time(60 * SECOND_MS)
    assert cancel(factory, job)["state"] == "stopping"
    row = factory.job(job)
    assert (row["state"], row["outcome"], row["charged_ms"]) == ("ended", "cancelled", 60_000)
    assert cancel(factory, job).reason is Reason.ALREADY_ENDED


def deaf(factory, monkeypatch):
    """Make stops do nothing, as a task that ignores its signals does until its grace is over; return the orders."""
    stops = []
    monkeypatch.setattr(factory.engine, "stop", stops.append)
    return stops


def test_cancelling_what_is_being_stopped_changes_nothing(factory, monkeypatch):
    stops = deaf(factory, monkeypatch)
    job = factory.submit(a_job("sleep 600", grace_s=30))
    assert cancel(factory, job) == cancel(factory, job)
    assert [(order.cause.value, order.grace_ms) for order in stops] == [("cancel", 30_000)]
    assert (factory.job(job)["state"], factory.job(job)["reason"]) == ("stopping", "CANCELLED")
    answer = why(factory, job)
    assert "is being stopped (cancel); it has 30 s to save" in answer["text"]


def test_a_job_that_is_stopped_before_it_ran_stays_stopping_when_it_runs(tmp_path, monkeypatch):
    """Its row said `running` again."""
    factory = new_factory(tmp_path, start_ms=5000)
    deaf(factory, monkeypatch)
    job = factory.submit(a_job("sleep 600"))
    cancel(factory, job)
    factory.pass_time(6000)
    assert (factory.job(job)["state"], factory.job(job)["reason"]) == ("stopping", "CANCELLED")
    assert factory.app.applier.state.scheduler.jobs[job].state is JobState.STOPPING
    check_all(factory)
