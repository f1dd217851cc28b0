"""A store that takes nothing, or cannot even be read, refuses everybody, ends nothing, and is used again when it is back."""

from concurrent.futures import Future
from typing import Any

import pytest

from eisbach.app import submit_job
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.events import NodeDrained
from eisbach.app.snapshot import fingerprint
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import StoreDamaged, StoreFull, StoreUnavailable
from eisbach.stores.memory import MemoryStore
from tests.app.factory import a_job, new_factory

PATIENCE_S = 20


class FailingStore(MemoryStore):
    """A store that fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.on_write: Exception | None = None
        self.on_read: Exception | None = None

    def commit(self, batch: Any, epoch: int) -> None:
        if self.on_write is not None:
            raise self.on_write
        super().commit(batch, epoch)

    def load_snapshot(self) -> tuple[int, bytes] | None:
        if self.on_read is not None:
            raise self.on_read
        return super().load_snapshot()


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest.fixture
def factory(tmp_path, store):
    return new_factory(tmp_path, store=store)


@pytest.fixture
def threaded(factory):
    """The factory with its applier on a thread of its own, as it runs live."""
    factory.app.applier.start()
    yield factory
    factory.app.applier.stop()


def submission(factory, **job: Any):
    return submit_job.command(SYSTEM, project=factory.project, spec=a_job(**job))


def ask_jobs(factory) -> list[str]:
    return factory.app.ask(lambda state, now: list(state.scheduler.jobs)).result(timeout=PATIENCE_S)


def test_a_full_store_refuses_and_is_used_again(threaded, store):
    app = threaded.app
    store.on_write = StoreFull("full")
    refused = [app.perform(submission(threaded)).result(timeout=PATIENCE_S) for _ in range(3)]
    assert [answer.reason for answer in refused] == [Reason.STORE_FULL] * 3
    assert app.applier.failure
    assert ask_jobs(threaded) == [], "what was not written is not known"
    store.on_write = None
    assert not isinstance(app.perform(submission(threaded)).result(timeout=PATIENCE_S), Refusal)
    assert not app.applier.failure
    assert len(ask_jobs(threaded)) == 1


def test_readiness_comes_back_without_any_request(threaded, store):
    store.on_write = StoreFull("full")
    threaded.app.perform(submission(threaded)).result(timeout=PATIENCE_S)
    store.on_write = None
    threaded.app.sign_head().result(timeout=PATIENCE_S)  # what a round does, though the log has not grown
    assert not threaded.app.applier.failure


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), StoreDamaged("torn"), StoreFull("full"), OSError("disk")])
def test_a_store_that_cannot_be_read_either_refuses_everybody(threaded, store, error):
    app = threaded.app
    store.on_write = store.on_read = error
    first = app.perform(submission(threaded))
    try:
        answer = first.result(timeout=PATIENCE_S)
        assert isinstance(answer, Refusal)
    except (StoreDamaged, OSError):
        pass  # that is told as what it is
    for _ in range(3):
        assert app.perform(submission(threaded)).result(timeout=PATIENCE_S).reason is Reason.STORE_UNAVAILABLE
        with pytest.raises(StoreUnavailable):
            ask_jobs(threaded)
    store.on_write = store.on_read = None
    assert not isinstance(app.perform(submission(threaded)).result(timeout=PATIENCE_S), Refusal)
    assert len(ask_jobs(threaded)) == 1
    assert not app.applier.failure


def test_an_end_that_could_not_be_written_is_recorded_later(factory, store):
    job = factory.submit(a_job("sleep 10"))
    store.on_write = StoreFull("full")
    factory.pass_time(20_000)
    assert factory.job(job)["state"] == "running"
    store.on_write = None
    factory.run_rounds()
    assert factory.job(job)["outcome"] == "succeeded"
    assert factory.attempts(job)[0]["held_ms"] == 10_000


def test_memory_is_what_the_store_is(factory, store):
    factory.submit(a_job("sleep 10"))
    before = fingerprint(factory.app.applier.state)
    store.on_write = StoreFull("full")
    factory.perform(submission(factory))
    assert fingerprint(factory.app.applier.state) == before


def test_a_command_that_breaks_an_invariant_fails_alone(factory):
    def broken(state: Any, context: Context) -> Decision:
        return Decision(events=(NodeDrained(node="no such node", drained=True, by="test"),))

    futures = [factory.app.perform(submission(factory)), factory.app.perform(broken), factory.app.perform(submission(factory))]
    question = factory.app.ask(lambda state, now: len(state.scheduler.jobs))
    factory.settle()
    assert not isinstance(futures[0].result(timeout=0), Refusal)
    with pytest.raises(KeyError):
        futures[1].result(timeout=0)
    assert not isinstance(futures[2].result(timeout=0), Refusal)
    assert question.result(timeout=0) == 2


def test_what_fails_after_the_commit_undoes_nothing_and_repeats_nothing(factory, monkeypatch):
    def fails(draft: Any) -> None:
        raise ValueError("a failure of the test")

    monkeypatch.setattr(factory.app.applier, "on_commit", fails)
    futures = [factory.app.perform(submission(factory)) for _ in range(3)]
    factory.settle()
    jobs = {future.result(timeout=0)["job"] for future in futures}
    assert len(jobs) == 3
    monkeypatch.undo()
    assert set(factory.ask(lambda state, now: list(state.scheduler.jobs))) == jobs
    factory.run_rounds()
    assert {factory.job(job)["state"] for job in jobs} == {"running"}, "the round told the engine what it missed"


def test_nobody_is_left_waiting_for_an_answer(factory, store):
    applier = factory.app.applier
    given_up = factory.app.perform(submission(factory))
    assert given_up.cancel()
    waiting = [factory.app.perform(submission(factory)) for _ in range(5)]
    applier.start()
    store.on_write = StoreFull("full")
    applier.stop()
    assert all(future.done() for future in waiting)
    assert factory.app.perform(submission(factory)).result(timeout=PATIENCE_S).reason is Reason.NOT_LEADER
    with pytest.raises(StoreUnavailable):
        ask_jobs(factory)


def test_a_mailbox_that_fails_stops_nobody(threaded):
    class Closed:
        def deliver(self, answers: Any) -> None:
            raise RuntimeError("the loop is closed")

    threaded.app.post(submission(threaded), None, Closed(), 1)
    assert not isinstance(threaded.app.perform(submission(threaded)).result(timeout=PATIENCE_S), Refusal)


def test_more_than_one_plan_is_carried_out_without_any_request(tmp_path, monkeypatch):
    monkeypatch.setattr("eisbach.core.admission.cycle.STARTS_MAX", 2)
    factory = new_factory(tmp_path)
    futures: list[Future[Any]] = [factory.app.perform(submission(factory)) for _ in range(7)]
    factory.app.applier.start()
    for future in futures:
        assert not isinstance(future.result(timeout=PATIENCE_S), Refusal)
    factory.app.applier.stop()
    assert len(factory.app.applier.state.scheduler.holding) == 7
