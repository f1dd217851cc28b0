"""The application's own rounds in the twin: spot moves aside for gangs, energy is metered hour by hour; and shares of GPUs as shares."""

from dataclasses import replace

import pytest
from msgspec import structs

from eisbach.adapters.shipped_sites import site_file_of
from eisbach.adapters.site_file import read_site_file
from eisbach.app import stranded_gpus
from eisbach.app.events_energy import EnergyMetered
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.stores.totals import TotalsStore
from eisbach.twin.assumed import assumptions
from eisbach.twin.booked import Booked
from eisbach.twin.demand import BookingWish
from eisbach.twin.recorder import Recorder
from eisbach.twin.run import run
from eisbach.twin.stranded import Stranded
from eisbach.twin.workload import Work
from eisbach.twin.world import START_MS, World
from tests.twin.traces import a_site

SPOT, ON_DEMAND = CapacityClass.SPOT, CapacityClass.ON_DEMAND
WHOLE = NodeShape(cpu_milli=96_000, memory_mib=8 * 98_304, gpus=8, flavour="b200.8")
EIGHTH = replace(WHOLE, cpu_milli=12_000, memory_mib=98_304, gpus=1)
HALF = replace(EIGHTH, cpu_milli=6_000, memory_mib=49_152, gpu_milli=500)


def work(job, submit_min, lasts_min, shape=WHOLE, *, nodes=1, capacity_class=SPOT, within=None):
    return Work(
        job=job, customer="all", submit_ms=submit_min * MINUTE_MS, duration_ms=lasts_min * MINUTE_MS, limit_ms=20 * HOUR_MS,
        nodes=nodes, shape=shape, capacity_class=capacity_class, within=within,
    )  # fmt: skip


def a_world(site):
    world = World([site], checkpoint_ms=30 * MINUTE_MS)
    world.add_customer("all")
    return world


def test_spot_moves_aside_for_a_gang_and_the_gain_is_told():
    """Four nodes in two racks; one node of each is free, and the gang demands two of one rack."""
    lasts = {"a": 600, "b": 20, "c": 600, "d": 20}
    asked = [work(name, 0, minutes) for name, minutes in lasts.items()]
    gang = work("gang", 15, 60, nodes=2, within=Within(Level.RACK, is_required=True))
    world = a_world(structs.replace(a_site(4), is_metered=False))
    result = run(world, [*asked, gang])
    assert (result.moves, result.finished) == (1, 5)
    assert result.mean_wait_s < 60 * 60, "the gang starts at the next round and not when the first long one ends"
    # two nodes for the 20 hours of a limit less 20 minutes and the notice, less the 20 minutes that the one that moves is reckoned to lose
    notice_h = DEFAULT.notice_ms / HOUR_MS
    assert result.moves_gain_gpu_h == pytest.approx((2 * (20 - 1 / 3 - notice_h) - 1 / 3) * 8)


def test_energy_is_metered_by_the_hour_and_to_the_end():
    metered = []
    world = a_world(a_site(2))
    world.application.listeners.append(lambda draft: metered.extend(body for body in draft.bodies if isinstance(body, EnergyMetered)))
    result = run(world, [work("a", 10, 140)])
    assert [(one.from_ms - START_MS, one.to_ms - START_MS) for one in metered] == [
        (0, HOUR_MS), (HOUR_MS, 2 * HOUR_MS), (2 * HOUR_MS, 150 * MINUTE_MS),
    ]  # fmt: skip
    assert result.energy_kwh == pytest.approx(sum(one.it_mj for one in metered) / 3.6e9)
    assert result.pue is None, "the site file says nothing of losses and cooling"
    assert world.state.energy.ended == [], "what was metered is not kept"


def test_a_plant_adds_its_losses_and_a_site_without_meters_tells_nothing():
    (munich,) = read_site_file(site_file_of("munich"))
    result = run(a_world(structs.replace(munich, nodes=munich.nodes[:4])), [work("a", 10, 140, replace(WHOLE, flavour="b200"))])
    assert result.pue is not None
    assert result.pue > 1.0
    plain = run(a_world(structs.replace(a_site(2), is_metered=False)), [work("a", 10, 140)])
    assert (plain.energy_kwh, plain.pue) == (None, None)


def test_half_a_gpu_counts_as_half_of_one():
    result = run(a_world(a_site(1)), [work("a", 0, 60, HALF, capacity_class=ON_DEMAND)])
    assert (result.allocated, result.busy, result.sold) == (pytest.approx(1 / 16), pytest.approx(1 / 16), pytest.approx(1 / 16))


def test_what_runs_inside_a_booking_is_sold_once():
    """A node of two is booked for four hours, in the first of which its owner works; spot has it then."""
    world = a_world(structs.replace(a_site(2), is_metered=False))
    recorder = Recorder(world)
    wish = BookingWish(
        customer="all", asked_ms=0, from_ms=HOUR_MS, until_ms=5 * HOUR_MS, nodes=1, flavour="b200.8", shape=WHOLE, within=None, used_permille=250,
    )  # fmt: skip
    asked = [work("edge", 0, 5 * 60, capacity_class=ON_DEMAND), work("spot", 121, 170)]
    result = run(world, asked, acts=Booked([wish]).acts(START_MS))
    recorder.close(int(world.now))
    assert result.sold == pytest.approx(0.5 + 0.5 * 4 / 5)
    hours = [mean / 16_000 for mean in recorder.sold.means(5)]
    assert hours == pytest.approx([0.5, 1, 1, 1, 1])


def test_the_twin_and_the_report_count_the_same_gpus_as_stranded():
    """Five of eight GPUs are held on each node, and whole nodes are waited for."""
    world = World([structs.replace(a_site(2), is_metered=False)], store=TotalsStore())
    world.add_customer("all")
    counted = Stranded(world)
    five = replace(WHOLE, cpu_milli=60_000, memory_mib=5 * 98_304, gpus=5)
    asked = [work(name, 0, 600, five, capacity_class=ON_DEMAND) for name in "ab"] + [work("whole", 0, 60, capacity_class=ON_DEMAND)]
    run(world, asked, until_ms=START_MS + 121 * MINUTE_MS, after_instant=counted.look, acts=())
    run(world, [], until_ms=START_MS + 240 * MINUTE_MS, after_instant=counted.look)
    (pool,) = world.ask(stranded_gpus.question())["pools"]
    assert (pool["free_gpu_milli"], pool["stranded_gpu_milli"]) == (6000, 6000)
    assert counted.gpu_h == {"b200.8": pytest.approx(6.0 * 4)}


def test_a_round_that_does_not_apply_makes_no_instants():
    looked = []
    run(a_world(structs.replace(a_site(2), is_metered=False)), [work("a", 0, 30, capacity_class=ON_DEMAND)], after_instant=lambda world: looked.append(int(world.now) - START_MS))
    assert looked == [0, 30 * MINUTE_MS]


def test_a_result_says_how_often_rounds_run():
    said = assumptions(checkpoint_ms=None, starting_ms=0, is_metered=False, has_own_prices=False)
    (line,) = [one for one in said if "less often than live" in one]
    assert "caps on power each 15m (live each 15s)" in line
    assert "energy each 1h (live each 15m while work runs)" in line
