"""The simulated engine beside real ones: it follows the clock by itself, and what it knows outlives it."""

import stat
import threading

import pytest
from msgspec.structs import replace

from eisbach.adapters.clocks import ManualClock, SystemClock
from eisbach.engines.simulated.live import LiveSimulatedEngine
from eisbach.ports.engine import Ending, Remains
from tests.contracts.engine_contract import a_stop, an_order
from tests.engines.local_harness import wait_until


@pytest.fixture
def opened(tmp_path):
    """Return what opens an engine on the same journal; all are closed at the end."""
    engines = []

    def open_engine(clock):
        engine = LiveSimulatedEngine(clock, tmp_path / "simulated", checkpoint_every_ms=10_000)
        engine.recover()
        engines.append(engine)
        return engine

    yield open_engine
    for engine in engines:
        engine.close()


def endings(engine):
    return {seen.attempt_id: seen.ending for seen in engine.observe()}


def test_it_tells_of_the_end_without_being_asked(opened):
    engine, ended = opened(SystemClock()), threading.Event()
    engine.subscribe(lambda seen: ended.set() if seen.ending is Ending.EXITED else None)
    engine.start(an_order(run="sleep 0.05"))
    assert ended.wait(10)


def test_it_does_not_move_while_nothing_is_due(opened):
    engine = opened(SystemClock())
    before = threading.active_count()
    engine.start(an_order(run="sleep 3600"))
    assert threading.active_count() == before, "one thread, however much runs"
    assert 0 < engine._wait_s() <= 30.0


def test_work_goes_on_after_a_restart_and_what_is_over_ended_then(opened):
    clock = ManualClock()
    first = opened(clock)
    started = clock.now()
    first.start(an_order("att_1", run="sleep 60"))
    first.start(an_order("att_2", run="sleep 600; exit 3", limit_ms=3_600_000))
    first.stop(a_stop("att_3"))
    first.close()
    clock.advance(120_000)
    again = opened(clock)
    assert endings(again) == {"att_1": Ending.EXITED, "att_2": None, "att_3": Ending.STOPPED}
    seen = again.observe()[0]
    assert (seen.running_since_ms, seen.ended_at_ms, seen.held_ms) == (started, started + 60_000, 60_000)
    clock.advance(600_000)
    wait_until(lambda: endings(again)["att_2"] is Ending.FAILED)


def test_what_was_forgotten_or_stopped_stays_so_after_a_restart(opened):
    clock = ManualClock()
    first = opened(clock)
    first.start(an_order("att_1", run="echo hello"))
    first.forget("att_1")
    first.start(an_order("att_2", run="sleep 60"))
    first.stop(a_stop("att_2"))
    first.close()
    again = opened(clock)
    assert endings(again) == {"att_2": Ending.STOPPED}
    again.start(an_order("att_1", run="sleep 60"))
    assert endings(again) == {"att_2": Ending.STOPPED}
    assert [line.text for line in again.read_log("att_1")[0]] == ["simulated: nothing was executed", "hello"]


def test_a_start_that_was_not_kept_did_not_happen(opened, tmp_path):
    """Killed while it wrote: the half file is no attempt, and the order comes again."""
    clock = ManualClock()
    opened(clock).close()
    (tmp_path / "simulated" / "att_1.unfinished").write_bytes(b'{"job":"jo')
    engine = opened(clock)
    assert endings(engine) == {}
    engine.start(an_order("att_1", run="true"))
    assert endings(engine) == {"att_1": Ending.EXITED}


def test_its_journal_is_the_owners_alone(opened, tmp_path):
    opened(ManualClock()).start(an_order("att_1", run="echo secret", secrets=(("KEY", "s3cret"),)))
    folder = tmp_path / "simulated"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"s3cret" not in file.read_bytes()


def test_it_knows_when_running_work_last_saved(opened):
    clock = ManualClock()
    engine, began = opened(clock), clock.now()
    engine.start(an_order("att_1", run="sleep 60"))
    engine.start(an_order("att_2", run="sleep 5"))
    assert engine.saved_at({"att_1": "job", "att_2": "job", "att_none": "job"}) == {}
    clock.advance(25_000)
    assert engine.saved_at({"att_1": "job", "att_2": "job"}) == {"att_1": began + 20_000}


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("is_lost", "left_ms"), [(False, 35_000), (True, 40_000)])
def test_the_next_attempt_goes_on_from_what_was_saved(opened, is_restarted, is_lost, left_ms):
    """What is asked to stop has saved, what is lost goes on from the last time that it did; lines are not printed twice."""
    clock, script = ManualClock(), "echo begun; sleep 50; echo near; sleep 10"
    engine = opened(clock)
    engine.start(an_order("att_1", run=script))
    clock.advance(25_000)
    engine.lose("att_1") if is_lost else engine.stop(a_stop("att_1"))
    if is_restarted:
        engine.close()
        engine = opened(clock)
    began = clock.now()
    engine.start(replace(an_order("att_2", run=script), job_id=an_order("att_1").job_id))
    clock.advance(left_ms - 1)
    assert endings(engine)["att_2"] is None
    assert [line.text for line in engine.read_log("att_2")[0]] == ["simulated: nothing was executed", "near"]
    clock.advance(1)
    assert {seen.attempt_id: seen.ended_at_ms for seen in engine.observe()}["att_2"] == began + left_ms


def test_of_what_expired_only_its_id_is_kept(opened, tmp_path):
    clock = ManualClock()
    engine = opened(clock)
    for name in ("att_1", "att_2", "att_3"):
        engine.start(an_order(name, run="echo hello"))
    engine.forget("att_1")
    engine.forget("att_2")
    assert engine.expire(Remains.LOGS, lambda job, at_ms: False) == 0
    assert engine.expire(Remains.LOGS, lambda job, at_ms: job == an_order("att_1").job_id) == 1
    files = {file.name for file in (tmp_path / "simulated").iterdir()}
    assert files == {"att_2.json", "att_3.json", "over.txt"}
    assert sorted(engine._attempts) == ["att_2", "att_3"]
    for known in (engine, opened(clock)):
        known.start(an_order("att_1", run="sleep 60"))
        known.stop(a_stop("att_1"))
        assert "att_1" not in endings(known), "it never starts again"
        assert known.read_log("att_1") == ([], 0)


def test_an_id_that_a_crash_left_half_written_spoils_no_later_one(opened, tmp_path):
    clock = ManualClock()
    engine = opened(clock)
    engine.start(an_order("att_1", run="echo hello"))
    engine.forget("att_1")
    (tmp_path / "simulated" / "over.txt").write_bytes(b"att_0\natt_")
    engine.expire(Remains.LOGS, lambda job, at_ms: True)
    again = opened(clock)
    again.start(an_order("att_1", run="sleep 60"))
    assert "att_1" not in endings(again)
    assert (tmp_path / "simulated" / "over.txt").read_bytes() == b"att_0\natt_\natt_1\n"
