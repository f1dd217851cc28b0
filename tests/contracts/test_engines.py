"""Every engine keeps the contract of ports/engine.py: the same tests run on each implementation.

To add one: write a context manager that yields a Harness and name it in ENGINES. The scripts used here are `true`,
`exit 3`, `sleep 60` and `sleep 0.2; exit 3`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from eisbach.adapters.clocks import ManualClock, SystemClock
from eisbach.engines.by_site import EngineBySite
from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.engines.simulated.live import LiveSimulatedEngine
from eisbach.ports.engine import CanWatchNodes, Ending, Observation, StaleEpoch, TaskOrder
from tests.contracts.engine_contract import Harness, a_stop, an_order
from tests.engines.local_harness import a_local_engine, wait_until


@contextmanager
def a_simulated_engine(tmp_path: Path) -> Iterator[Harness]:
    """Yield the simulated engine on a clock that goes on by 50 ms at each look."""
    clock = ManualClock(1_000_000)
    engine = SimulatedEngine(clock, start_ms=10)

    def wait(is_so: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if is_so():
                return
            clock.advance(50)
            engine.advance()
        raise AssertionError("waited too long")

    yield Harness(engine, wait)
    engine.close()


@contextmanager
def engines_by_site(tmp_path: Path) -> Iterator[Harness]:
    """Yield two sites behind one engine; the second one has the attempts."""
    with a_simulated_engine(tmp_path) as here, a_live_simulated_engine(tmp_path) as there:
        engine = EngineBySite([here.engine, there.engine], lambda attempt: there.engine)
        yield Harness(engine, there.wait)


@contextmanager
def a_live_simulated_engine(tmp_path: Path) -> Iterator[Harness]:
    """Yield the simulated engine on the machine's clock, with its journal."""
    engine = LiveSimulatedEngine(SystemClock(), tmp_path / "simulated", start_ms=10)
    engine.recover()
    yield Harness(engine, wait_until)
    engine.close()


ENGINES: dict[str, Callable[[Path], AbstractContextManager[Harness]]] = {
    "local": a_local_engine,
    "simulated": a_simulated_engine,
    "simulated live": a_live_simulated_engine,
    "by site": engines_by_site,
}


@pytest.fixture(params=sorted(ENGINES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    with ENGINES[request.param](tmp_path) as made:
        yield made


def test_an_attempt_that_succeeds(harness: Harness) -> None:
    seen = harness.run(an_order())
    assert (seen.ending, seen.exit_code) == (Ending.EXITED, 0)
    assert seen.running_since_ms is not None
    assert seen.ended_at_ms is not None
    assert 0 <= seen.held_ms <= 60_000


def test_an_attempt_that_fails_names_rank_and_code(harness: Harness) -> None:
    seen = harness.run(an_order(run="exit 3"))
    assert (seen.ending, seen.exit_code, seen.rank) == (Ending.FAILED, 3, 0)


def test_held_time_grows_while_it_runs_and_stays_after_the_end(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 60"))
    first = harness.wait_running()
    harness.wait(lambda: (harness.seen() or first).held_ms > first.held_ms)
    harness.engine.stop(a_stop())
    ended = harness.wait_ended()
    assert ended.held_ms > first.held_ms
    assert harness.seen() == ended


def test_the_same_start_again_changes_nothing(harness: Harness) -> None:
    harness.engine.start(an_order())
    harness.engine.start(an_order())
    ended = harness.wait_ended()
    harness.engine.start(an_order(run="exit 3"))
    assert harness.seen() == ended
    assert len(harness.engine.observe()) == 1


def test_a_stop_ends_a_running_attempt(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 60"))
    harness.wait_running()
    harness.engine.stop(a_stop())
    harness.engine.stop(a_stop())
    assert harness.wait_ended().ending is Ending.STOPPED


def test_a_stop_waits_for_its_notice(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 30"))
    harness.wait_running()
    harness.engine.stop(a_stop(notice_ms=700))
    assert harness.is_running()
    seen = harness.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert seen.held_ms >= 700


def test_what_ends_within_its_notice_was_not_stopped(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 0.3"))
    harness.wait_running()
    harness.engine.stop(a_stop(notice_ms=25_000))
    assert harness.wait_ended().ending is Ending.EXITED


def test_the_earliest_signal_holds(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 30"))
    harness.wait_running()
    for notice_ms in (29_000, 200, 28_000):
        harness.engine.stop(a_stop(notice_ms=notice_ms))
    seen = harness.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert 200 <= seen.held_ms < 28_000


def test_a_stop_without_notice_ends_one_with_it(harness: Harness) -> None:
    harness.engine.start(an_order(run="sleep 30"))
    harness.wait_running()
    harness.engine.stop(a_stop(notice_ms=29_000))
    harness.engine.stop(a_stop())
    seen = harness.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert seen.held_ms < 28_000


def test_a_stop_before_the_start_makes_the_late_start_do_nothing(harness: Harness) -> None:
    harness.engine.stop(a_stop())
    harness.engine.start(an_order())
    seen = harness.wait_ended()
    assert seen.ending is Ending.STOPPED
    assert seen.running_since_ms is None
    assert seen.held_ms == 0


def test_a_stop_after_the_end_changes_nothing(harness: Harness) -> None:
    ended = harness.run(an_order())
    harness.engine.stop(a_stop())
    assert harness.seen() == ended


def test_the_limit_is_kept(harness: Harness) -> None:
    seen = harness.run(an_order(run="sleep 60", limit_ms=300, grace_ms=500))
    assert seen.ending is Ending.TIMED_OUT
    assert 300 <= seen.held_ms < 1_500


def test_orders_of_an_older_leader_are_refused(harness: Harness) -> None:
    harness.run(an_order(epoch=2))
    with pytest.raises(StaleEpoch):
        harness.engine.start(an_order("att_2", epoch=1))
    with pytest.raises(StaleEpoch):
        harness.engine.stop(a_stop(epoch=1))
    assert harness.seen("att_2") is None


def test_a_forgotten_attempt_never_comes_back(harness: Harness) -> None:
    harness.run(an_order())
    harness.engine.forget("att_1")
    harness.engine.forget("att_1")
    assert harness.engine.observe() == []
    harness.engine.start(an_order())
    harness.engine.recover()
    assert harness.engine.observe() == []


def test_observations_come_in_order_of_attempt(harness: Harness) -> None:
    for attempt in ("att_3", "att_1", "att_2"):
        harness.engine.start(an_order(attempt))
    for attempt in ("att_1", "att_2", "att_3"):
        harness.wait_ended(attempt)
    assert [seen.attempt_id for seen in harness.engine.observe()] == ["att_1", "att_2", "att_3"]


def test_a_subscriber_is_told_of_running_and_end(harness: Harness) -> None:
    told: list[Observation] = []
    harness.engine.subscribe(told.append)
    ended = harness.run(an_order(run="sleep 0.2; exit 3"))
    harness.wait(lambda: ended in told)
    assert any(seen.running_since_ms is not None and seen.ending is None for seen in told)


def test_a_gang_ends_as_a_whole(harness: Harness) -> None:
    harness.engine.start(an_order(tasks=3, run="sleep 60"))
    harness.wait_running()
    harness.engine.stop(a_stop())
    assert harness.wait_ended().ending is Ending.STOPPED


def test_whoever_watches_nodes_misses_none_while_all_is_well(harness: Harness) -> None:
    assert isinstance(harness.engine, CanWatchNodes)
    harness.run(an_order())
    assert list(harness.engine.gone_nodes()) == []


@pytest.mark.parametrize("started", ["before", "after"])
def test_a_node_that_is_gone_ends_what_has_a_task_there_and_is_named(tmp_path: Path, started: str) -> None:
    """The simulated engine can be told so; engines of real nodes notice by themselves."""
    with a_simulated_engine(tmp_path) as harness:
        engine = harness.engine
        assert isinstance(engine, SimulatedEngine)
        engine.start(an_order("att_other", run="sleep 60"))
        gang = replace(an_order(run="sleep 60"), tasks=(a_task(0, "node-1"), a_task(1, "node-2")))
        if started == "before":
            engine.start(gang)
            harness.wait_running()
        engine.lose_node("node-2")
        if started == "after":
            engine.start(gang)
        seen = harness.wait_ended()
        assert (seen.ending, seen.node, seen.exit_code) == (Ending.NODE_LOST, "node-2", None)
        assert (seen.running_since_ms is not None) is (started == "before")
        assert [gone.node for gone in engine.gone_nodes()] == ["node-2"]
        assert not harness.has_ended("att_other"), "it has no task there"
        engine.bring_node_back("node-2")
        assert engine.gone_nodes() == []
        assert harness.run(replace(gang, attempt_id="att_2", run="true")).ending is Ending.EXITED


def a_task(rank: int, node: str) -> TaskOrder:
    return TaskOrder(rank=rank, node_id=node, cpu_milli=500, memory_mib=256)
