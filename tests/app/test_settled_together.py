"""The hourly settlement of many attempts is one event a project; rows, bills and packages follow as if each had its own."""

from eisbach.app import create_organisation, create_project, settle_usage
from eisbach.app.check_store import check_store
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import open_event
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.engine import EngineUnavailable
from tests.app.factory import a_job, new_factory
from tests.app.invariants import check_all, events_of
from tests.app.leaving import exported, imported, key_of, organisation_of

LONG = "sleep 20000"


def an_hour_of(factory, *jobs):
    """Let jobs run over a full hour and settle them; return the settlements in the log."""
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    bodies = [open_event(sealed.data).body for sealed in events_of(factory) if sealed.kind == "usage.settled_together"]
    return [body for body in bodies if isinstance(body, UsageSettledTogether)]


def test_attempts_of_a_project_settle_in_one_event_and_of_two_in_two(tmp_path):
    factory = new_factory(tmp_path)
    org = factory.perform(create_organisation.command(SYSTEM, name="Others"))["organisation"]
    others = factory.perform(create_project.command(SYSTEM, organisation=org, name="o", budget_micro_eur=100 * EURO))["project"]
    mine = [factory.submit(a_job(LONG, limit_s=30_000)) for _ in range(3)]
    theirs = [factory.submit(a_job(LONG, limit_s=30_000), others)]
    settled = an_hour_of(factory)
    assert [(body.project, list(body.jobs)) for body in settled] == [(factory.project, mine), (others, theirs)]
    for body in settled:
        ((debit, credit, amount, kind),) = body.transfers
        assert (amount, kind) == (sum(body.amounts), "settle")
        assert (debit.split("/")[0], credit.split("/")[2]) == (body.project, "charged")
    check_all(factory)


def test_each_attempt_has_a_transfer_of_its_own_and_each_job_finds_the_event(tmp_path):
    factory = new_factory(tmp_path)
    jobs = [factory.submit(a_job(LONG, cpus=cpus, limit_s=30_000)) for cpus in (1, 2)]
    (settled,) = an_hour_of(factory)
    for job, amount in zip(jobs, settled.amounts, strict=True):
        moved = [row for row in factory.store.rows("transfers", {"job": job}).rows if row["kind"] == "settle"]
        assert [row["amount"] for row in moved] == [amount] == [factory.job(job)["charged"]]
        assert "usage.settled_together" in {sealed.kind for sealed in factory.store.events_of(job)}
    assert settled.amounts[1] == max(settled.amounts)


def test_an_organisation_leaves_without_what_a_settlement_says_of_work_that_goes_on(tmp_path):
    """Two jobs settle in one event, one ends: the event leaves as it stands, its charge of the other stays behind."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = new_factory(tmp_path / "first", seed=1), new_factory(tmp_path / "second", seed=500)
    ends = first.submit(a_job("sleep 6000", limit_s=7000))
    goes_on = first.submit(a_job(LONG, limit_s=30_000))
    (settled,) = an_hour_of(first)
    assert list(settled.jobs) == [ends, goes_on]
    first.pass_time(HOUR_MS)
    package = exported(first, organisation_of(first), tmp_path / "package.tar")
    assert imported(second, package, key_of(first))["is_new"] is True
    assert second.job(ends)["charged"] == first.job(ends)["charged"]
    assert second.store.row("jobs", goes_on) is None
    charged = sum(b for name, b in second.app.applier.state.ledger.balances.items() if name.endswith("/charged"))
    assert charged == first.job(ends)["charged"]
    assert check_store(second.store) == []


class SilentEngine(SimulatedEngine):
    """It does its work, and tells nobody of checkpoints."""

    def saved_at(self, running):
        raise EngineUnavailable("no answer")


def test_what_is_charged_does_not_wait_for_an_engine_that_knows_of_no_checkpoint_now(tmp_path):
    """The round ended there, and nothing was settled for as long as the engine did not answer."""
    factory = new_factory(tmp_path, engine_type=SilentEngine)
    job = factory.submit(a_job(LONG, limit_s=30_000))
    (settled,) = an_hour_of(factory)
    assert (list(settled.jobs), factory.job(job)["charged_ms"]) == ([job], HOUR_MS)
    check_all(factory)


class AskedEngine(SimulatedEngine):
    """It notes about which attempts it is asked when they last saved."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asked = []

    def saved_at(self, running):
        self.asked.append(dict(running))
        return {}


def test_an_engine_is_asked_for_checkpoints_of_those_alone_that_are_due(tmp_path):
    factory = new_factory(tmp_path, engine_type=AskedEngine)
    jobs = [factory.submit(a_job(LONG, limit_s=30_000)) for _ in range(2)]
    (settled,) = an_hour_of(factory)
    assert factory.engine.asked == [dict(zip(settled.attempts, jobs, strict=True))]
    factory.submit(a_job(LONG, limit_s=30_000))
    factory.run_rounds()
    assert len(factory.engine.asked) == 1, "nobody is due"
    check_all(factory)


def test_who_is_left_for_the_next_batch_is_not_looked_for_again_unless_the_log_went_on(tmp_path, monkeypatch):
    factory = new_factory(tmp_path)
    jobs = [factory.submit(a_job(LONG, limit_s=30_000)) for _ in range(5)]
    looks = []
    real = settle_usage._settle

    def settle(state, period, held, saved, running, at_most):
        looks.append((at_most, len(running)))
        return real(state, period, held, saved, running, at_most)

    monkeypatch.setattr(settle_usage, "_settle", settle)
    monkeypatch.setattr(settle_usage, "AT_ONCE", 2)
    settled = an_hour_of(factory)
    assert [job for body in settled for job in body.jobs] == jobs
    assert [len(body.jobs) for body in settled] == [2, 2, 1]
    assert looks == [(2, 5), (2, 3), (2, 1)], "the second batch and the third know who is left"
    found_earlier = (factory.app.applier.state.next_seq - 1, [("att_gone", None)])
    held = settle_usage._held(factory.app)
    factory.perform(lambda state, context: settle_usage._decide(state, context, held, {}, found_earlier))
    assert looks[-1] == (2, 5), "what was found at another place of the log is found again"
    check_all(factory)
