"""Nodes are lost, fall under suspicion and are declared healthy; what ran there goes on elsewhere at our cost."""

import pytest

from eisbach.app import cancel_job, tend_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts
from eisbach.app.tend_nodes import Act
from eisbach.app.watch_nodes import watch_nodes
from eisbach.core.capacity.health import FAILURES_BEFORE_SUSPECT, Health
from eisbach.core.capacity.targets import Targets
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of


def some_nodes(count):
    return [
        NodeFacts(node=f"n{nth + 1}", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=8192, rack=f"rack-{nth // 2 + 1:02}")
        for nth in range(count)
    ]


@pytest.fixture
def four(tmp_path):
    """A factory of four equal nodes in two racks."""
    return new_factory(tmp_path, site=a_site(*some_nodes(4)))


def tend(factory, act, *names, note="", **places):
    return factory.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=names, **places), note=note))


def marks(factory):
    return {name: mark.health.value for name, mark in factory.app.applier.state.health.marks.items()}


def places(factory, job):
    return [row["nodes"] for row in factory.attempts(job)]


# ---- lost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["engine", "operator", "round"])
def test_a_gang_on_a_lost_node_ends_at_once_and_starts_again_elsewhere(four, who):
    gang = four.submit(a_job("sleep 600", nodes=2, cpus=4))
    four.pass_time(5 * MINUTE_MS)
    behind = four.submit(a_job("sleep 600", nodes=4, cpus=4))
    if who == "engine":
        four.engine.lose_node("n2")
        four.settle()
    elif who == "round":
        four.engine._callbacks.clear()  # what it saw is told to nobody
        four.engine.lose_node("n2")
        four.engine.subscribe(four.app.observed)
        four.run_rounds(Round("watch", 1, watch_nodes))
    else:
        tend(four, Act.LOST, "n2", note="no light on it")
    assert marks(four) == {"n2": "lost"}
    first, second = four.attempts(gang)
    assert (first["nodes"], first["outcome"], first["fault"], first["reason"]) == ("n1 n2", "lost", "hardware", "NODE_LOST")
    assert (first["charged"], first["held_ms"]) == (0, 5 * MINUTE_MS)
    assert (second["nodes"], second["state"]) == ("n3 n4", "running"), "a whole rack was free, and it stands before who came later"
    assert four.attempts(behind) == []
    four.pass_time(600 * SECOND_MS)
    assert four.job(gang)["charged_ms"] == 2 * 600 * SECOND_MS or four.job(gang)["charged_ms"] == 600 * SECOND_MS
    assert four.job(gang)["outcome"] == "succeeded"
    four.run_rounds()
    check_all(four)


def test_what_still_runs_on_the_other_nodes_is_stopped_without_grace(four):
    gang = four.submit(a_job("sleep 600", nodes=2, cpus=4))
    attempt = four.attempts(gang)[0]["attempt"]
    tend(four, Act.LOST, "n2")
    assert four.engine._attempts[attempt].ended_ms == four.clock.now()
    four.run_rounds()
    assert four.engine._attempts[attempt].is_forgotten


def test_a_lost_node_ends_all_that_it_holds_and_only_that(four):
    jobs = [four.submit(a_job("sleep 600", cpus=0.25, memory_mib=64)) for _ in range(16 + 3)]
    size = four.store.log_size()
    tend(four, Act.LOST, "n1")
    assert [len(four.attempts(job)) for job in jobs] == [2] * 16 + [1] * 3
    kinds = [sealed.kind for sealed in events_of(four)[size:]]
    assert kinds.count("attempt.ended") == 16
    check_all(four)


def test_marking_twice_writes_nothing_and_a_lost_node_never_counts_as_lost_again(four):
    assert tend(four, Act.LOST, "n1")["changed"] == ["n1"]
    size = four.store.log_size()
    assert tend(four, Act.LOST, "n1")["changed"] == []
    four.engine.lose_node("n1")
    four.run_rounds(Round("watch", 1, watch_nodes))
    assert four.store.log_size() == size


def test_a_node_comes_back_by_the_word_of_somebody_who_looked(four):
    tend(four, Act.LOST, "n*")
    job = four.submit(a_job("sleep 60"))
    assert four.attempts(job) == []
    assert tend(four, Act.REPAIR, "n3", note="power supply changed")["changed"] == ["n3"]
    assert places(four, job) == ["n3"]
    assert tend(four, Act.REPAIR, "n3")["changed"] == []
    rows = four.store.rows("node_history", {"node": "n3"}).rows
    assert sorted((row["what"], row["cause"], row["note"]) for row in rows) == [
        ("healthy", "operator", "power supply changed"),
        ("lost", "operator", ""),
    ]
    check_all(four)


def test_a_node_that_an_engine_still_misses_is_lost_again(four):
    four.engine.lose_node("n1")
    four.run_rounds()
    tend(four, Act.REPAIR, "n1")
    four.run_rounds()
    assert marks(four) == {"n1": "lost"}
    four.engine.bring_node_back("n1")
    tend(four, Act.REPAIR, "n1")
    four.run_rounds()
    assert marks(four) == {}


def test_who_was_to_be_cancelled_is_cancelled_when_its_node_is_lost(four):
    job = four.submit(a_job("sleep 600", grace_s=30))
    four.engine.stop = lambda order: None  # its tasks need their grace
    four.perform(cancel_job.command(SYSTEM, job=job))
    tend(four, Act.LOST, "n1")
    assert four.job(job)["outcome"] == "cancelled"
    check_all(four)


def test_a_loss_over_the_turn_of_a_month_and_over_a_restart(four):
    job = four.submit(a_job("sleep 10000000", cpus=4, limit_s=40 * 86_400))
    four.pass_time(35 * 24 * HOUR_MS)
    again = four.restart()
    tend(again, Act.LOST, "n1")
    assert places(again, job) == ["n1", "n2"]
    check_all(again)
    third = again.restart(crash=False)
    assert marks(third) == {"n1": "lost"}
    assert third.app.applier.state.scheduler.fleet.nodes["n1"].available is False
    check_all(third)


# ---- suspect -----------------------------------------------------------------------------------------------------


def fail(factory, job):
    """The engine loses the attempt of a job that runs."""
    running = next(row for row in factory.attempts(job) if row["state"] == "running")
    factory.engine.lose(running["attempt"])
    factory.settle()
    factory.pass_time(MINUTE_MS)


def test_a_node_that_fails_in_a_row_takes_nothing_new_until_somebody_has_looked(four):
    job = four.submit(a_job("sleep 6000", cpus=4, limit_s=7200))
    for _ in range(FAILURES_BEFORE_SUSPECT):
        fail(four, job)
    assert marks(four) == {"n1": "suspect"}
    assert places(four, job) == ["n1"] * FAILURES_BEFORE_SUSPECT + ["n2"]
    (row,) = four.store.rows("node_history", {"node": "n1"}).rows
    assert (row["what"], row["cause"], row["by"]) == ("suspect", "failures", "system")
    tend(four, Act.REPAIR, "n1")
    assert marks(four) == {}
    assert four.app.applier.state.health.failures == {}
    check_all(four)


def test_work_that_went_well_in_between_clears_a_node(four):
    job = four.submit(a_job("sleep 6000", cpus=2, limit_s=7200))
    for _ in range(FAILURES_BEFORE_SUSPECT - 1):
        fail(four, job)
    well = four.submit(a_job("sleep 1", cpus=2))
    four.pass_time(2 * SECOND_MS)
    assert four.job(well)["outcome"] == "succeeded"
    fail(four, job)
    assert marks(four) == {}


def test_a_gang_speaks_against_no_node_unless_a_rank_is_known(four):
    gang = four.submit(a_job("sleep 6000", nodes=2, cpus=4, limit_s=7200))
    for _ in range(FAILURES_BEFORE_SUSPECT + 1):
        fail(four, gang)
    assert marks(four) == {}


@pytest.mark.parametrize(("nodes", "suspects"), [(1, 0), (2, 1), (4, 2)])
def test_never_more_than_half_of_a_pool_is_put_aside(tmp_path, nodes, suspects):
    """A poisonous job, or an engine in trouble, must not close the factory."""
    factory = new_factory(tmp_path, site=a_site(*some_nodes(nodes)))
    for _ in range(3):
        job = factory.submit(a_job("sleep 60000", cpus=4, limit_s=86_400))
        for _ in range(9):
            fail(factory, job)
        factory.perform(cancel_job.command(SYSTEM, job=job))
    assert list(marks(factory).values()) == [Health.SUSPECT.value] * suspects


# ---- cordon, drain, targets --------------------------------------------------------------------------------------


def test_a_cordon_keeps_what_runs_and_a_drain_moves_it(four):
    job = four.submit(a_job("sleep 600", cpus=4, grace_s=10))
    assert tend(four, Act.CORDON, "n1") == {"act": "cordon", "nodes": ["n1"], "changed": ["n1"], "attempts_on_them": 1}
    assert places(four, job) == ["n1"]
    assert tend(four, Act.CORDON, "n1")["changed"] == []
    assert tend(four, Act.DRAIN, "n1", note="fan")["changed"] == ["n1"]
    assert places(four, job) == ["n1", "n2"]
    assert tend(four, Act.CORDON, "n1")["changed"] == [], "a node that is being drained stays so"
    assert tend(four, Act.UNCORDON, "n1")["changed"] == ["n1"]
    assert tend(four, Act.RESUME, "n1")["changed"] == []
    said = [row["what"] for row in sorted(four.store.rows("node_history", {"node": "n1"}).rows, key=lambda row: row["mark"])]
    assert said == ["cordoned", "drained", "resumed"]
    check_all(four)


def test_a_rack_is_drained_as_a_whole(four):
    jobs = [four.submit(a_job("sleep 600", cpus=4)) for _ in range(4)]
    answer = tend(four, Act.DRAIN, rack="r2")
    assert (answer["nodes"], answer["attempts_on_them"]) == (["n3", "n4"], 2)
    assert [len(four.attempts(job)) for job in jobs] == [1] * 4, "their jobs wait for room"
    assert four.job(jobs[2])["state"] == "waiting"
    tend(four, Act.RESUME, rack="rack-02", site="here", pool="p")
    assert places(four, jobs[2]) == ["n3", "n3"]
    check_all(four)


def test_a_rack_that_two_rows_have_is_refused_with_both(tmp_path):
    """Nobody drains 89 racks who meant the seventh one of a row."""
    places = {"n1": ("row-1", "rack-07"), "n2": ("row-2", "rack-07"), "n3": ("row-2", "rack-08")}
    facts = [
        NodeFacts(node=name, pool="p", flavour="cpu", cpu_milli=4000, memory_mib=8192, hall="hall-1", row=row, rack=rack)
        for name, (row, rack) in places.items()
    ]
    factory = new_factory(tmp_path, site=a_site(*facts))
    answer = factory.perform(tend_nodes.command(SYSTEM, act=Act.DRAIN, targets=Targets(rack="r07")))
    assert isinstance(answer, Refusal)
    assert "2 places with 2 nodes: here/hall-1/row-1/rack-07, here/hall-1/row-2/rack-07" in answer.what
    assert tend(factory, Act.DRAIN, rack="r07", row="2")["changed"] == ["n2"]
    assert tend(factory, Act.DRAIN, row="1")["changed"] == ["n1"]


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (Targets(), Reason.INVALID_ARGUMENT),
        (Targets(names=("n1", "n9")), Reason.NOT_FOUND),
        (Targets(names=("x*",)), Reason.NOT_FOUND),
        (Targets(rack="3"), Reason.NOT_FOUND),
        (Targets(names=("n1",), rack="2"), Reason.NOT_FOUND),
        (Targets(site="there"), Reason.NOT_FOUND),
    ],
)
def test_nodes_that_nobody_knows_are_refused_and_nothing_is_half_done(four, targets, reason):
    size = four.store.log_size()
    answer = four.perform(tend_nodes.command(SYSTEM, act=Act.DRAIN, targets=targets))
    assert isinstance(answer, Refusal)
    assert answer.reason is reason
    assert four.store.log_size() == size


def test_a_note_has_a_length(four):
    answer = tend(four, Act.LOST, "n1", note="x" * 501)
    assert (answer.reason, answer.where) == (Reason.INVALID_ARGUMENT, "note")
    assert marks(four) == {}
