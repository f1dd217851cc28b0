"""Imagined demand: the same seed gives the same jobs, rates follow day and week, and a bad file is told in full."""

from collections import Counter

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.twin.booked import with_bookings
from eisbach.twin.demand import DemandWorkload, TooLarge
from eisbach.twin.demand_file import read_demand
from eisbach.twin.recorder import Recorder
from eisbach.twin.scenario import Scenario
from tests.twin.traces import a_site, written

TRAINING = """
[[class]]
name = "training"
segment = "research"
customers = 3
jobs_per_day = 200
day = "office"
week = [1, 1, 1, 1, 1, 0, 0]
sizes = [[0.5, 1], [8, 2], [16, 1]]
median = "1h"
p90 = "5h"
within = "rack"
[class.bookings]
per_week = 3
nodes = 2
for = "1d"
ahead = "2d"
"""
SPOT = '[[class]]\nname = "spot"\njobs_per_day = 50\ngpus = 1\ncapacity_class = "spot"\nlimit = 2\n'


def drawn(tmp_path, text, *, seed=7, days=14):
    return DemandWorkload(read_demand(written(tmp_path, text, "demand.toml")), a_site(), days=days, seed=seed)


def test_a_seed_repeats_and_another_class_disturbs_nobody(tmp_path):
    alone, again, both = drawn(tmp_path, TRAINING), drawn(tmp_path, TRAINING), drawn(tmp_path, TRAINING + SPOT)
    assert list(alone) == list(again) == [work for work in both if work.job.startswith("training")]
    assert list(alone) != list(drawn(tmp_path, TRAINING, seed=8))
    assert len(both) == len(list(both))
    submitted = [work.submit_ms for work in both]
    assert submitted == sorted(submitted)


def test_rates_sizes_and_durations_are_what_the_file_says(tmp_path):
    works = list(drawn(tmp_path, TRAINING, days=28))
    assert 0.9 < len(works) / (200 * 28) < 1.1  # relative rates move jobs, they do not take any away
    assert not [work for work in works if work.submit_ms // DAY_MS % 7 > 4]
    hours = Counter(work.submit_ms // HOUR_MS % 24 for work in works)
    assert hours[10] > 4 * hours[3]
    sizes = Counter((work.nodes, work.shape.gpus, work.shape.gpu_milli) for work in works)
    assert sizes.most_common(1)[0][0] == (1, 8, 1000)
    assert set(sizes) == {(1, 1, 500), (1, 8, 1000), (2, 8, 1000)}
    durations = sorted(work.duration_ms for work in works)
    assert 0.9 < durations[len(works) // 2] / HOUR_MS < 1.1
    assert 4.3 < durations[len(works) * 9 // 10] / HOUR_MS < 5.7
    assert {work.within for work in works if work.nodes > 1} == {Within(Level.RACK)}
    assert {work.customer for work in works} == {"training-1", "training-2", "training-3"}


def test_spot_and_bookings(tmp_path):
    demand = drawn(tmp_path, TRAINING + SPOT, days=70)
    assert {work.capacity_class for work in demand if work.customer == "spot"} == {CapacityClass.SPOT}
    wishes = demand.bookings()
    assert 15 <= len(wishes) <= 45
    assert all(wish.until_ms - wish.from_ms == DAY_MS and wish.from_ms - wish.asked_ms >= 2 * DAY_MS for wish in wishes)


def test_what_is_booked_is_sold_and_worked_in(tmp_path):
    text = SPOT + '[class.bookings]\nper_week = 14\nnodes = 1\nfor = "6h"\nahead = "3h"\nused = 0.5\n'
    demand = drawn(tmp_path, text, days=3)
    scenario = Scenario(sites=(a_site(),), workload=demand, acts=with_bookings([], demand), days=3)
    world = scenario.world()
    recorder = Recorder(world)
    result = scenario.play(world)
    recorder.close(int(world.now))
    bookings = [entry for entry in recorder.entries() if entry.kind == "booking"]
    assert bookings
    assert {(entry.whose, entry.nodes, entry.until_ms - entry.from_ms) for entry in bookings} == {("spot", 1, 6 * HOUR_MS)}
    assert result.jobs > len(demand) - len(bookings)
    assert result.sold > result.busy
    assert all(capacity_class == "spot" for capacity_class, _ in recorder.waits_ms)


def test_all_mistakes_of_a_file_are_said_at_once(tmp_path):
    text = """
[[class]]
name = "a"
segment = "rich"
jobs_per_day = -1
sizes = [[8]]
median = "soon"
day = [1, 2]
week = [0, 0, 0, 0, 0, 0, 1e-9]
capacity_class = "gold"
within = "galaxy"
require = "rack"
speed = 1
[[class]]
name = "a"
jobs_per_day = 1
gpus = 1
"""
    with pytest.raises(HomeFileError) as error:
        read_demand(written(tmp_path, text, "demand.toml"))
    said = str(error.value)
    wrong = ("segment is 'rich'", "jobs_per_day is -1", "sizes is [[8]]", "median is 'soon'", "day is [1, 2]", "week is [0", "capacity_class is 'gold'",
             "say one of them", "'speed' is not known", "two customers are named 'a'")  # fmt: skip
    assert [one for one in wrong if one not in said] == []


@pytest.mark.parametrize(
    ("for_", "ahead", "said"),
    [
        ("1s", "2d", "for is '1s', but a booking lasts 10 minutes to 366 days"),
        ("9999d", "2d", "for is '9999d', but a booking lasts 10 minutes to 366 days"),
        ("1d", "4m", "ahead is '4m', but a window begins at least 5 minutes after it is asked for"),
        ("1d", "731d", "ahead is '731d', but a window begins at least 5 minutes after it is asked for and ends within 731 days"),
    ],
)
def test_bookings_that_no_quote_would_offer_are_refused(tmp_path, for_, ahead, said):
    text = TRAINING.replace('for = "1d"', f'for = "{for_}"').replace('ahead = "2d"', f'ahead = "{ahead}"')
    with pytest.raises(HomeFileError) as error:
        read_demand(written(tmp_path, text, "demand.toml"))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "there is no [[class]]"), ("[[class]\n", "is not valid TOML"), ("class = 3", "there is no [[class]]"), ("[[class]]\n", "needs gpus = 8")],
)
def test_a_file_without_a_class(tmp_path, text, said):
    with pytest.raises(HomeFileError) as error:
        read_demand(written(tmp_path, text, "demand.toml"))
    assert said in str(error.value)


def test_a_class_that_is_larger_than_the_site(tmp_path):
    with pytest.raises(TooLarge, match=r"'big' asks for 40 GPUs, and the site has 4 nodes of b200\.8"):
        drawn(tmp_path, '[[class]]\nname = "big"\njobs_per_day = 1\ngpus = 40\n')
