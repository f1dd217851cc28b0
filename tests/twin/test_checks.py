"""The checks of a long run: the state follows from the last look and the events since; pools are not sold beyond what they have."""

import pytest
from msgspec.structs import replace

from eisbach.adapters.signing import signer_from
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.stores.memory import MemoryStore
from eisbach.twin.booked import Booked
from eisbach.twin.capacity_books import of_capacity
from eisbach.twin.checked import CHECKED
from eisbach.twin.checks import Checks
from eisbach.twin.demand import BookingWish
from eisbach.twin.faults import Faults, Happening, Scripted, acts_of
from eisbach.twin.mig_books import MigBooks
from eisbach.twin.run import run
from eisbach.twin.scenario import Scenario
from eisbach.twin.workload import Customer, Work
from eisbach.twin.world import ORIGIN, START_MS, World
from tests.twin.planted import PLANTED
from tests.twin.traces import a_site

SITE = replace(a_site(3), is_metered=False)
WHOLE = NodeShape(cpu_milli=96_000, memory_mib=8 * 98_304, gpus=8, flavour="b200.8")


def a_world():
    world = World([SITE], store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)))
    world.add_customer("all")
    return world


def work(job, submit_min, lasts_min, capacity_class=CapacityClass.ON_DEMAND, shape=WHOLE):
    return Work(
        job=job, customer="all", submit_ms=submit_min * MINUTE_MS, duration_ms=lasts_min * MINUTE_MS, limit_ms=2 * lasts_min * MINUTE_MS, nodes=1,
        shape=shape, capacity_class=capacity_class,
    )  # fmt: skip


def booked(world, *, nodes=3, lose_h=2):
    """Nodes are booked from the first to the fifth hour, and one of them is lost for good; return checks and figures."""
    checks = Checks(world)
    wish = BookingWish(
        customer="all", asked_ms=0, from_ms=HOUR_MS, until_ms=5 * HOUR_MS, nodes=nodes, flavour="b200.8", shape=WHOLE, within=None, used_permille=1000
    )
    lose = Faults(events=(Scripted(at_ms=lose_h * HOUR_MS, happening=Happening.LOSE, targets=Targets(names=("n1",)), for_ms=None),))
    acts = [*Booked([wish]).acts(START_MS), *acts_of(lose, SITE, begin_ms=START_MS, days=1, seed=1)]
    result = run(world, [], acts=acts, until_ms=START_MS + 12 * HOUR_MS, after_instant=lambda world: checks.look())
    return checks, result


def test_what_bookings_were_short_of_has_a_figure():
    checks, result = booked(a_world())
    assert result.shortfall_gpu_h == pytest.approx(8 * 3)
    assert checks.found == []
    (lost,) = [one for one in checks.books.nodes.values() if one.is_lost]
    assert lost.pool == "gpu"


def test_a_node_that_is_replaced_is_no_shortfall():
    checks, result = booked(a_world(), nodes=1)
    assert (result.shortfall_gpu_h, checks.found) == (0, [])


def test_a_booking_that_counts_on_a_lost_node_is_found(monkeypatch):
    """Planted: nobody moves a booking off a node that is lost."""
    PLANTED["booking_on_a_lost_node"](monkeypatch)
    checks, _ = booked(a_world())
    assert any("counts on n1, which is lost" in one.what for one in checks.found)


def test_more_sold_than_a_pool_has_is_found():
    world = a_world()
    checks = Checks(world)
    run(world, [work(name, 0, 600) for name in "abc"], until_ms=START_MS + HOUR_MS)
    assert list(of_capacity(checks.books, int(world.now))) == []
    checks.books.nodes["n2"].gpus = 4
    (found,) = of_capacity(checks.books, int(world.now))
    assert found == "1: of gpu 24000 thousandths of a GPU are booked or placed, and 20000 are healthy or recorded as missing"


def test_work_that_an_engine_is_late_with_is_not_sold():
    """Its engine had not answered for an hour when a booking began on its node: no decision could have helped that."""
    world = a_world()
    checks = Checks(world)
    run(world, [work(name, 0, 600) for name in "abc"], until_ms=START_MS + 1)
    checks.books.nodes["n2"].gpus = 0
    gone_ms = max(checks.books.ends_ms.values())
    assert len(list(of_capacity(checks.books, gone_ms - 1))) == 1
    assert list(of_capacity(checks.books, gone_ms)) == []


def test_spot_is_sold_beside_bookings_and_is_not_counted():
    world = a_world()
    checks = Checks(world)
    run(world, [work("a", 0, 600, CapacityClass.SPOT)], until_ms=START_MS + HOUR_MS)
    checks.books.nodes["n2"].gpus = checks.books.nodes["n1"].gpus = checks.books.nodes["n0"].gpus = 0
    assert list(of_capacity(checks.books, int(world.now))) == []


def test_a_state_that_changes_without_an_event_is_found_at_the_next_look():
    world = a_world()
    checks = Checks(world)
    run(world, [work("a", 0, 30)], until_ms=START_MS + 10 * MINUTE_MS)
    checks.look_often()
    run(world, [work("b", 0, 30)], until_ms=START_MS + 20 * MINUTE_MS)
    checks.look_often()
    assert checks.found == []
    world.state.gpu_milli_ms["nobody"] = 1
    checks.look_often()
    assert [one.what for one in checks.found] == ["9: the state is not what the last one that was looked at and the events since give"]
    checks.look_often()
    assert len(checks.found) == 1, "each part of the log is looked at once"


class Many:
    """A workload of one customer with many small jobs."""

    customers = (Customer("all", "enterprise"),)
    label = "many"

    def __len__(self):
        return 600

    def __iter__(self):
        return (work(f"job-{nth}", nth, 1) for nth in range(600))


def test_a_checked_run_looks_every_thousand_events(monkeypatch):
    looks = []
    often = Checks.look_often
    monkeypatch.setattr(Checks, "look_often", lambda self: (looks.append(self.events), often(self))[1])
    scenario = Scenario(sites=(SITE,), workload=Many(), checking=CHECKED)
    result = scenario.play(scenario.world())
    assert (result.finished, result.violations) == (600, 0)
    assert len(looks) == result.events // 1_000
    assert all(1_000 * nth <= events < 1_000 * nth + 100 for nth, events in enumerate(looks, 1))


def cut(job, profile, milli):
    shape = NodeShape(cpu_milli=1_000, memory_mib=64, gpus=1, flavour="b200.8", gpu_milli=milli, mig=profile)
    return work(job, 0, 60, shape=shape)


@pytest.mark.parametrize("is_planted", [False, True])
def test_slices_of_a_gpu_that_overlap_are_found(monkeypatch, is_planted):
    """Together they are less than a GPU: its thousandths say nothing of that."""
    if is_planted:
        PLANTED["slice_counts_as_one"](monkeypatch)
    world = World([replace(a_site(1), is_metered=False)], store=MemoryStore(), signer=signer_from(ORIGIN, bytes(32)))
    world.add_customer("all")
    checks = Checks(world)
    run(world, [cut("a", "3g.90gb", 426), cut("b", "3g.90gb", 426), cut("c", "1g.23gb", 142)], until_ms=START_MS + HOUR_MS // 2)
    found = [one.what for one in checks.found]
    assert any("is held twice: 1g.23gb from slice" in one for one in found) == is_planted, found
    assert is_planted or found == []


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([("4g.90gb", 0), ("3g.90gb", 4)], None),
        ([("1g.23gb", nth) for nth in range(7)], None),
        ([("3g.90gb", 0), ("2g.45gb", 2)], "held twice: 2g.45gb from slice 2 on and 3g.90gb from slice 0 on"),
        ([("4g.90gb", 4)], "never cut like that"),
        ([("5g.90gb", 0)], "never cut like that"),
        ([("3g.90gb", 0), ("", 0)], "cut into slices and shared in thousandths at once"),
    ],
)
def test_what_a_gpu_is_cut_into_is_held_against_its_maker_s_tables(parts, found):
    books = MigBooks()
    said = [what for nth, part in enumerate(parts) for what in books.planned(f"att_{nth}", [(("n0", 0), "b200.8", part)])]
    assert (said == []) if found is None else (len(said) == 1 and found in said[0]), said
    for nth in range(len(parts)):
        books.ended(f"att_{nth}")
    assert list(books.planned("att_again", [(("n0", 0), "b200.8", ("7g.180gb", 0))])) == []
