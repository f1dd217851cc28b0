"""Checkpoints in the twin: what was stopped or lost goes on from the last one, and who has lost least since his gives way."""

from random import Random

import msgspec
import pytest

from eisbach.adapters.clocks import VirtualClock
from eisbach.adapters.signing import signer_from
from eisbach.app.check_store import check_store
from eisbach.app.event_codec import open_event
from eisbach.app.events_usage import UsageSettledTogether, entries_of, only
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.engines.simulated.courses import SavingEngine
from eisbach.engines.simulated.script import Course
from eisbach.ports.engine import StopOrder
from eisbach.stores.memory import MemoryStore
from eisbach.twin.faults import acts_of
from eisbach.twin.faults_file import read_faults
from eisbach.twin.run import run
from eisbach.twin.scenario import Scenario
from eisbach.twin.trace_workload import TraceWorkload
from eisbach.twin.workload import Work
from eisbach.twin.world import ORIGIN, START_MS, World
from tests.twin.traces import WEEK, a_site, written

SPOT, ON_DEMAND = CapacityClass.SPOT, CapacityClass.ON_DEMAND
WHOLE = NodeShape(cpu_milli=96_000, memory_mib=8 * 98_304, gpus=8, flavour="b200.8")
LOSE_AT_40M = '[[event]]\nat = "40m"\ndo = "lose"\nnodes = ["n0"]\nfor = "1h"\n'


def work(job, submit_min, lasts_min, capacity_class, nodes=1):
    return Work(
        job=job, customer="all", submit_ms=submit_min * MINUTE_MS, duration_ms=lasts_min * MINUTE_MS, limit_ms=100 * HOUR_MS, nodes=nodes,
        shape=WHOLE, capacity_class=capacity_class,
    )  # fmt: skip


def a_world(checkpoint_ms, nodes=2, **more):
    world = World([a_site(nodes)], checkpoint_ms=checkpoint_ms, **more)
    world.add_customer("all")
    return world


@pytest.mark.parametrize(("checkpoint_ms", "again_s"), [(30 * MINUTE_MS, 600), (40 * MINUTE_MS, 0), (15 * MINUTE_MS, 600), (None, 2400)])
def test_lost_work_is_done_again_from_the_last_checkpoint(tmp_path, checkpoint_ms, again_s):
    site = a_site(4)
    workload = TraceWorkload(written(tmp_path, WEEK + "a,0,2,3600,9000\n"), site)
    acts = tuple(acts_of(read_faults(written(tmp_path, LOSE_AT_40M, "faults.toml")), site, begin_ms=START_MS, days=0, seed=1))
    scenario = Scenario(sites=(site,), workload=workload, acts=acts, checkpoint_ms=checkpoint_ms)
    document = scenario.document(scenario.play(scenario.world()))
    assert document["makespan_s"] == 3600 + again_s
    assert document["checkpoint_s"] == (None if checkpoint_ms is None else checkpoint_ms / SECOND_MS)
    assert any(("starts again from the beginning" in one) is (checkpoint_ms is None) for one in document["assumptions"] if "sav" in one)


@pytest.mark.parametrize(("checkpoint_ms", "again_s"), [(30 * MINUTE_MS, 0), (None, 20 * 60 + DEFAULT.notice_ms // SECOND_MS)])
def test_who_is_told_to_stop_saves_when_his_notice_is_over(checkpoint_ms, again_s):
    world = a_world(checkpoint_ms, nodes=1)
    result = run(world, [work("spot", 0, 60, SPOT), work("first", 20, 30, ON_DEMAND)])
    assert (result.preemptions, result.finished) == (1, 2)
    assert result.makespan_s == (60 + 30) * 60 + again_s
    assert world.courses == {}


@pytest.mark.parametrize(("checkpoint_ms", "gives_way"), [(30 * MINUTE_MS, "older"), (None, "newer")])
def test_the_one_with_least_lost_since_its_last_known_checkpoint_gives_way(checkpoint_ms, gives_way):
    """At the full hour the older one has just saved, the newer one ten minutes ago: five minutes later it loses 15, the other 5."""
    world = a_world(checkpoint_ms, store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)))
    asked = [work("older", 0, 600, SPOT), work("newer", 20, 600, SPOT), work("first", 65, 60, ON_DEMAND)]
    run(world, asked, until_ms=START_MS + 70 * MINUTE_MS)
    names = {row["job"]: row["name"] for row in world.store.rows("jobs", {}).rows}
    stopped = [row["job"] for row in world.store.rows("attempts", {}).rows if row["fault"] == "preemption"]
    assert [names[job] for job in stopped] == [gives_way]
    assert check_store(world.store) == []


def settlements(world):
    opened = [open_event(sealed.data).body for sealed in world.store.events(after_seq=-1, limit=1000)]
    return [body for body in opened if isinstance(body, UsageSettledTogether)]


def test_the_hourly_settlement_says_what_was_saved():
    world = a_world(30 * MINUTE_MS, store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)))
    run(world, [work("older", 0, 600, SPOT), work("newer", 20, 600, SPOT)], until_ms=START_MS + HOUR_MS)
    (settled,) = settlements(world)
    assert settled.saved_ms == (60 * MINUTE_MS, 30 * MINUTE_MS)
    assert {row["attempt"]: row["saved_ms"] for row in world.store.rows("attempts", {}).rows} == dict(zip(settled.attempts, settled.saved_ms, strict=True))
    kept = only(settled, settled.jobs[:1])
    assert [(entry[1], entry[-1]) for entry in entries_of(kept)] == [(settled.jobs[1], 30 * MINUTE_MS)]


def test_a_settlement_of_an_older_log_knows_of_no_checkpoint():
    world = a_world(None, store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)))
    run(world, [work("one", 0, 600, SPOT)], until_ms=START_MS + HOUR_MS)
    (settled,) = settlements(world)
    assert settled.saved_ms == ()
    said = msgspec.to_builtins(settled)
    del said["saved_ms"]
    assert msgspec.convert(said, UsageSettledTogether) == settled
    assert [entry[-1] for entry in entries_of(settled)] == [0]


def test_who_is_lost_before_his_notice_is_over_goes_on_from_his_last_checkpoint():
    clock, courses = VirtualClock(START_MS), {"job_1": Course(HOUR_MS, 0)}
    engine = SavingEngine(clock, courses, checkpoint_every_ms=30 * MINUTE_MS)
    engine.begin("att_1", "job_1", 1, 2 * HOUR_MS, 1)
    clock.advance_to(START_MS + 40 * MINUTE_MS)
    engine.stop(StopOrder(attempt_id="att_1", epoch=1, cause=StopCause.PREEMPTION, grace_ms=0, notice_ms=30_000))
    assert courses["job_1"].run_ms == 20 * MINUTE_MS - 30_000
    clock.advance_to(START_MS + 40 * MINUTE_MS + 10_000)
    engine.lose("att_1", "node")
    assert courses["job_1"].run_ms == 30 * MINUTE_MS
    engine.begin("att_2", "job_1", 1, 2 * HOUR_MS, 1)
    clock.advance_to(START_MS + 80 * MINUTE_MS)
    engine.advance()
    assert {one.attempt_id: one.ended_at_ms for one in engine.observe()}["att_2"] == START_MS + 70 * MINUTE_MS + 10_000


def test_what_runs_and_since_when_is_kept_apart_and_is_what_each_attempt_says():
    """An engine tells since when all run without a look at any attempt; after every act that is what the attempts say."""
    clock, courses, chance = VirtualClock(START_MS), dict[str, Course](), Random(7)
    engine = SavingEngine(clock, courses, checkpoint_every_ms=30 * MINUTE_MS, start_ms=5 * SECOND_MS)
    running = set()
    for number in range(300):
        name = f"att_{number:03}"
        courses[name] = Course(chance.randrange(4 * HOUR_MS), 0)
        engine.begin(name, name, 1, 2 * HOUR_MS, 1)
        other = f"att_{chance.randrange(number + 1):03}"
        match chance.randrange(5):
            case 0:
                engine.stop(StopOrder(attempt_id=other, epoch=1, cause=StopCause.CANCEL, grace_ms=0, notice_ms=chance.choice([0, MINUTE_MS])))
            case 1 if other in held_by(engine):
                engine.lose(other)
            case 2:
                engine.forget(other)
        clock.advance_to(clock.now() + chance.randrange(20 * MINUTE_MS))
        engine.advance()
        held = held_by(engine)
        now, since = engine.since_when()
        assert {one: now - began_ms for one, began_ms in since.items() if began_ms <= now} == held
        running |= held.keys()
    assert len(running) > 200


def held_by(engine):
    return {one.attempt_id: one.held_ms for one in engine.observe() if one.ending is None and one.running_since_ms is not None}
