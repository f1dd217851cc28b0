"""The driver: exact waits, exact money, the same plan with and without log and checks, and the same plan as a live factory."""

import heapq
import random
from threading import Event

import pytest

from eisbach.adapters.clocks import SystemClock
from eisbach.adapters.identifiers import SystemIds
from eisbach.adapters.signing import create_key_file, signer_from
from eisbach.app import create_organisation, create_project, late_leaves, set_scheduler, submit_job
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import open_factory
from eisbach.app.plan_hash import PlanHash
from eisbach.core.jobs.request import CheckpointRule, JobSpec, NodeShape
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, SECOND_MS
from eisbach.engines.simulated.live import LiveSimulatedEngine
from eisbach.stores.memory import MemoryStore
from eisbach.stores.sql.opening import open_sqlite
from eisbach.stores.totals import TotalsStore
from eisbach.twin import invariants
from eisbach.twin.absent import Absent
from eisbach.twin.equal_nodes import equal_nodes
from eisbach.twin.figures import Figures
from eisbach.twin.run import run
from eisbach.twin.workload import Work
from eisbach.twin.world import ORIGIN, PRICES, World

NODES = 20
SITE = equal_nodes(NODES, 8)
WHOLE = NodeShape(
    cpu_milli=SITE.nodes[0].cpu_milli, memory_mib=SITE.nodes[0].memory_mib, gpus=8, flavour=SITE.nodes[0].flavour
)


def works(count=150, seed=5):
    """Gangs of whole nodes that fill the site, so that many wait."""
    chance = random.Random(seed)
    at_s, found = 0, []
    for number in range(count):
        at_s += chance.randrange(600)
        lasts_s = chance.randrange(60, 20_000)
        found.append(
            Work(
                job=f"job-{number}",
                customer="all",
                submit_ms=at_s * SECOND_MS,
                duration_ms=lasts_s * SECOND_MS,
                limit_ms=(lasts_s + chance.randrange(600)) * SECOND_MS,
                nodes=chance.choice((1, 1, 2, 3, 8, 16)),
                shape=WHOLE,
            )
        )
    return found


def first_come(asked):
    """The mean wait in seconds of strict first come, first served, by counting nodes."""
    free, running, waits, now = NODES, [], [], 0
    for work in asked:
        now = max(now, work.submit_ms)
        while running and (running[0][0] <= now or free < work.nodes):
            ends_ms, nodes = heapq.heappop(running)
            now, free = max(now, ends_ms), free + nodes
        free -= work.nodes
        waits.append(now - work.submit_ms)
        heapq.heappush(running, (now + work.duration_ms, work.nodes))
    return sum(waits) / len(waits) / SECOND_MS


def played(asked, *, policy="default", has_log=False, seed=1, store=None, after_instant=lambda world: None):
    """Play work in a world of its own; return the world and the result."""
    world = World([SITE], store=store or TotalsStore(has_log=has_log), signer=signer_from(ORIGIN, bytes(32)), seed=seed)
    world.add_customer("all")
    world.perform(set_scheduler.command(SYSTEM, policy=policy))
    return world, run(world, asked, after_instant=after_instant)


def test_first_come_first_served_waits_exactly_as_counting_says():
    _, result = played(works(), policy="fifo")
    assert result.finished == 150
    assert result.mean_wait_s == pytest.approx(first_come(works()), abs=1e-9)


def test_every_held_millisecond_is_charged_once_whatever_was_settled_on_the_way():
    world, result = played(works())
    known = next(iter(world.state.prices.versions)).gpu_hour["b200"]
    an_hour = {nodes: nodes * (8 * known + 16 * 8 * PRICES.core_hour + 256 * 8 * PRICES.memory_gib_hour) for nodes in range(17)}
    expected = sum(an_hour[work.nodes] * work.duration_ms // HOUR_MS for work in works())
    assert round(result.revenue_eur * EURO) == expected
    assert list(invariants.of_money(world.state)) == []
    assert (world.state.accounts, world.courses) == ({}, {}), "finished jobs are folded to totals"


def test_the_plan_is_the_same_with_a_log_and_with_looks_and_the_log_follows_from_the_seed():
    looks = []
    _, plain = played(works())
    _, logged = played(works(), has_log=True, after_instant=lambda world: looks.append(world.state.next_seq))
    _, other = played(works(), has_log=True, seed=2)
    assert plain.plan_hash == logged.plan_hash == other.plan_hash
    assert looks
    assert (plain.log_root, len(logged.log_root)) == ("", 64)
    assert logged.log_root == played(works(), has_log=True)[1].log_root != other.log_root
    assert plain.events == logged.events


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_events_that_are_hashed_later_give_the_tree_of_those_that_are_hashed_at_once(monkeypatch, at_once):
    monkeypatch.setattr(late_leaves, "AT_ONCE", at_once)
    kept, checked = played(works(), store=MemoryStore())
    sizes = []
    later, result = played(works(), has_log=True, after_instant=lambda world: sizes.append(world.application.applier.frontier.size - world.state.next_seq))
    assert set(sizes) == {0}, "whoever asks gets a tree of all events so far"
    assert later.application.applier.frontier.nodes == kept.application.applier.frontier.nodes
    assert result.log_root == checked.log_root == played(works(), has_log=True)[1].log_root
    assert [event.seq for event in kept.store.events(limit=100_000)] == list(range(result.events))


SHORT = ((1, 900), (1, 2200), (2, 700), (1, 400), (2, 500))
"""Nodes and milliseconds of jobs that are submitted at once: whatever ends, ends far apart from the others."""


def live_hash(folder):
    """Run SHORT in a live factory on two simulated nodes: SQLite, threads, the machine's clock."""
    clock = SystemClock()
    store = open_sqlite(folder / "eisbach.db")
    app = Application(
        store=store,
        engine=LiveSimulatedEngine(clock, folder / "engine"),
        clock=clock,
        ids=SystemIds(),
        signer=create_key_file(folder / "key", "live.test/factory"),
        faces=FacePorts(authoriser=Absent("authoriser"), translator=Absent("translator"), templates=Absent("templates")),
        keepers=Keepers(
            archives=Absent("archives"), secrets=Absent("secrets"), objects=Absent("objects"), data_limits=DataLimits(project_bytes_max=0, file_bytes_max=0)
        ),
    )
    hashed, is_over = PlanHash(), Event()

    def listen(draft):
        hashed.take(draft.bodies)
        if draft.state.totals.get("succeeded", 0) == len(SHORT):
            is_over.set()

    app.listeners.append(listen)
    app.engine.recover()
    app.start()
    try:
        open_factory(app, origin="live.test/factory", software="test", sites=[equal_nodes(2, 8)], prices=[PRICES])
        org = app.perform(create_organisation.command(SYSTEM, name="all")).result()["organisation"]
        made = app.perform(create_project.command(SYSTEM, organisation=org, name="all", budget_micro_eur=10**15)).result()
        for nodes, lasts_ms in SHORT:
            app.perform(submit_job.command(SYSTEM, project=made["project"], spec=short(nodes, lasts_ms))).result()
        assert is_over.wait(timeout=60)
    finally:
        app.stop()
        app.close()
    return hashed.hexdigest()


def short(nodes, lasts_ms):
    return JobSpec(
        name="short", nodes=nodes, shapes=(WHOLE,), run=f"sleep {lasts_ms / 1000}", time_limit_ms=60_000, checkpoint=CheckpointRule(grace_ms=0)
    )


def test_a_live_factory_and_the_twin_make_the_same_plan(tmp_path):
    world = World([equal_nodes(2, 8)])
    world.add_customer("all")
    figures = Figures(world)
    asked = [
        Work(job=str(number), customer="all", submit_ms=number, duration_ms=lasts_ms, limit_ms=60_000, nodes=nodes, shape=WHOLE)
        for number, (nodes, lasts_ms) in enumerate(SHORT)
    ]
    assert run(world, asked).finished == len(SHORT)
    assert live_hash(tmp_path) == figures.plan_hash.hexdigest()
