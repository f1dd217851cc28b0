"""Replay equals live: a factory whose state was read again from its store, at random instants, decides as the one that went on."""

import logging
from collections import Counter
from dataclasses import replace
from random import Random

import msgspec
import pytest

from eisbach.adapters.signing import signer_from
from eisbach.app import due_moves, money, set_budget, set_scheduler, submit_job
from eisbach.app.admit_jobs import fund_next
from eisbach.app.commands import SYSTEM, Context
from eisbach.app.event_codec import open_event
from eisbach.app.events import AttemptEnded, AttemptPlanned, JobEnded, JobFunded, JobStopping
from eisbach.app.events_booking import (
    BookingEnded,
    BookingMade,
    BookingMoved,
    BookingReduced,
    BookingSettled,
    HoldReleased,
)
from eisbach.app.events_health import NodesCommissioned
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.app.recover_state import recover
from eisbach.app.snapshot import Saved, decode_state, encode_state
from eisbach.app.state import FactoryState
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import DEFAULT, POLICIES
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import MINUTE_MS, SECOND_MS
from eisbach.ports.store import StoreUnavailable
from eisbach.stores.memory import MemoryStore
from eisbach.twin import acts_of_booking, acts_of_people, acts_of_site, acts_of_time
from eisbach.twin.equal_nodes import equal_nodes
from eisbach.twin.frail_engine import FrailEngine
from eisbach.twin.random_site import random_sites
from eisbach.twin.story import Story
from eisbach.twin.world import ORIGIN, START_MS, World
from tests.core.fleets import an_active

SEEDS = range(1, 31)
CROWDED_SEEDS = (*range(1, 13), 35, 42, 56)
"""Some others differ (45 and 55): at which instant a cycle of before wanted to look again stands in no log, so a look is one of these later."""
STEPS = 70
CROWDED_STEPS = 90
RESTARTS = SNAPSHOTS = 0.2
"""Chances after each step."""
ACTS = {
    **acts_of_people.ACTS, **acts_of_booking.ACTS, **acts_of_site.ACTS,
    acts_of_time.pass_time: 30, acts_of_time.turn_month: 2, acts_of_time.rounds: 8,
}  # fmt: skip
DECIDED = (
    AttemptPlanned, AttemptEnded, JobFunded, JobStopping, JobEnded, StartPromised, StartUnpromised, NodesCommissioned,
    BookingMade, BookingMoved, BookingReduced, BookingSettled, BookingEnded, HoldReleased,
)  # fmt: skip


class RefusingStore(MemoryStore):
    """Refuses a commit when it is told to: the writer then reads its state again, from the newest snapshot and the events since."""

    def __init__(self):
        super().__init__()
        self.refuses = False

    def commit(self, batch, epoch):
        if self.refuses:
            self.refuses = False
            raise StoreUnavailable("away for a moment")
        super().commit(batch, epoch)


@pytest.fixture(autouse=True)
def silence():
    """A store that is away is told of at length."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


PROMISING = replace(DEFAULT, promised_nodes=3, again_ms=20 * MINUTE_MS)
"""As `default`, on a scale on which sixteen nodes hold gangs that are promised a start."""


def crowd(story):
    """Somebody submits several jobs at once: more than fit, most of them parts of nodes or gangs.

    No spot: of several who wait a cycle has it give way to the first, so one that looks at everything goes on with the next.
    """
    chance = story.chance
    commands = [
        submit_job.command(SYSTEM, project=chance.choice(story.projects), spec=a_crowding_spec(chance)) for _ in range(chance.randint(2, 7))
    ]
    return str(len(story.perform_together(commands)))


def a_crowding_spec(chance):
    nodes, minutes = chance.choice([1, 1, 1, 2, 3, 4, 6, 9]), chance.choice([3, 20, 45, 90, 240])
    gpus = chance.choice([1, 2, 4, 4])
    return JobSpec(
        name="job",
        nodes=nodes,
        shapes=(NodeShape(cpu_milli=16_000 * gpus, memory_mib=1024, gpus=gpus),),
        run=f"sleep {minutes * 60}",
        time_limit_ms=minutes * chance.choice([1, 2, 4]) * MINUTE_MS + MINUTE_MS,
        checkpoint=CheckpointRule(grace_ms=SECOND_MS * chance.choice([0, 5, 30])),
        retry=RetryRule(max_attempts=2),
        capacity_class=CapacityClass.ON_DEMAND,
        within=Within(Level.RACK, chance.random() < 0.5) if 1 < nodes < 5 and chance.random() < 0.5 else None,
    )


def pass_a_while(story):
    """Some of what runs ends."""
    story.pass_ms(story.chance.choice([SECOND_MS, 5 * MINUTE_MS, 20 * MINUTE_MS, 50 * MINUTE_MS]))
    return ""


CROWDED_ACTS = {
    **acts_of_booking.ACTS, crowd: 40, acts_of_people.cancel: 6, acts_of_site.drain: 3, acts_of_site.resume: 9,
    acts_of_site.lose: 4, pass_a_while: 60, acts_of_time.rounds: 10,
}  # fmt: skip


def a_story(seed, *, is_crowded=False):
    chance, engines, store = Random(seed), [], RefusingStore()

    def engine_on(clock):
        engines.append(FrailEngine(clock, chance=Random(seed + 1)))
        return engines[0]

    signer = signer_from(ORIGIN, Random(seed).randbytes(32))
    sites = [equal_nodes(16, 4)] if is_crowded else random_sites(chance, START_MS)
    world = World(sites, store=store, seed=seed, signer=signer, engine=engine_on)
    story = Story(world, engines[0], chance, CROWDED_ACTS if is_crowded else ACTS)
    if is_crowded:
        story.perform(set_scheduler.command(SYSTEM, policy=PROMISING.name))
    for number in range(4 if is_crowded else 2):
        story.projects.append(acts_of_people.new_customer(story, f"customer {number}"))
        if is_crowded and number:  # the first one has too little money now and then
            story.perform(set_budget.command(SYSTEM, project=story.projects[-1], budget_micro_eur=10**6 * EURO))
    return story, store


def read_again(world, store):
    """Lose the state and read it again, as a restart does, but for the ids: those of both lives can be compared."""
    before = world.state
    store.refuses = True
    world.application.applier.run_once(snapshot=True)
    assert world.state is not before
    world.decide([])
    world.rest()


def decided(store):
    """All that was decided, in order: what starts, stops and is promised on which nodes, what is funded, moved and settled."""
    told, seq = [], -1
    while page := store.events(after_seq=seq, limit=1000):
        for sealed in page:
            opened = open_event(sealed.data)
            if isinstance(opened.body, DECIDED):
                told.append((opened.at_ms, opened.body))
        seq = page[-1].seq
    return told


def played(seed, *, with_restarts, is_crowded=False):
    """Play a story; what it asks for is the same whether its state is read again now and then or not, as long as that makes no difference."""
    story, store = a_story(seed, is_crowded=is_crowded)
    world, when = story.world, Random(seed + 2)
    for _ in range(CROWDED_STEPS if is_crowded else STEPS):
        story.step()
        world.advance_to(world.now + 1)
        world.decide([])  # what has begun to run is only noted until something is decided
        world.rest()
        drawn = when.random()
        if with_restarts and drawn < RESTARTS:
            read_again(world, store)
        elif with_restarts and drawn < RESTARTS + SNAPSHOTS:
            world.application.applier.run_once(snapshot=True)
        world.advance_to(world.now + 1)
    return store


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_decided_does_not_depend_on_restarts(seed):
    live, again = (decided(played(seed, with_restarts=restarts)) for restarts in (False, True))
    assert again == live


@pytest.mark.parametrize("seed", CROWDED_SEEDS)
def test_nor_where_far_more_is_asked_for_than_there_is(seed, monkeypatch):
    monkeypatch.setitem(POLICIES, PROMISING.name, PROMISING)
    live, again = (decided(played(seed, with_restarts=restarts, is_crowded=True)) for restarts in (False, True))
    assert again == live
    kinds = Counter(type(body) for _, body in live)
    assert kinds[StartPromised] > 5
    assert kinds[AttemptPlanned] > 30


def test_what_was_read_again_is_calm_and_looks_at_bookings_when_the_live_one_would():
    begins = 0
    for seed in (5, 7):
        state = recover(played(seed, with_restarts=False)).state
        assert state.scheduler.agenda.is_calm(state.last_ms)
        soonest_ms = due_moves._soonest_ms(state, state.last_ms)
        if soonest_ms is not None:
            assert state.scheduler.agenda.next_instant() <= soonest_ms
            begins += 1
    assert begins


def test_a_snapshot_keeps_the_order_in_which_things_came():
    state = FactoryState()
    state.health.coming = {"n2": 5, "n1": 5}
    state.scheduler.spot_grace_ms = 7
    again = decode_state(encode_state(state))
    assert list(again.health.coming) == ["n2", "n1"]
    assert again.scheduler.spot_grace_ms == 7


def test_projects_are_funded_in_the_order_of_their_names(monkeypatch):
    state = FactoryState()
    state.scheduler.unfunded = {"prj_b": [((1, 1, 1), "job_b")], "prj_a": [((1, 1, 2), "job_a")]}
    monkeypatch.setattr(money, "open_period", lambda state, project, now: project)
    assert fund_next(state, Context(START_MS, None, 1)) == ["prj_a", "prj_b"]


def test_sets_are_written_in_order_and_stand_in_jobs_alone():
    names = [f"site-{number}" for number in range(40)]
    job = an_active("job", 1)
    job.where = Where(frozenset(names))
    state = FactoryState()
    state.scheduler.add(job)
    written = msgspec.msgpack.decode(encode_state(state))
    (told,) = written["jobs"]
    assert told["where"]["sites"] == sorted(names)
    assert decode_state(encode_state(state)).scheduler.jobs["job"].where == job.where
    found, seen, coming = [], set(), [field.type for field in msgspec.inspect.type_info(Saved).fields if field.name != "jobs"]
    while coming:
        kind = coming.pop()
        found += [kind] if isinstance(kind, msgspec.inspect.SetType | msgspec.inspect.FrozenSetType) else []
        for part in (getattr(kind, name, ()) for name in ("fields", "types", "item_types", "item_type", "key_type", "value_type")):
            for one in part if isinstance(part, tuple) else (part,):
                one = getattr(one, "type", one)
                if isinstance(one, msgspec.inspect.Type) and id(one) not in seen:
                    seen.add(id(one))
                    coming.append(one)
    assert found == [], "their order would be that of hashes, which are others in each process"
    assert len(seen) > 50


def test_dicts_of_a_job_would_be_sorted_and_it_has_none():
    (jobs,) = [field.type for field in msgspec.inspect.type_info(Saved).fields if field.name == "jobs"]
    assert "DictType" not in str(jobs)
