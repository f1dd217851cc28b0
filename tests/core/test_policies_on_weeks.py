"""The three policies on the weeks whose waits are known: counts by hand, here through the cycle and its named nodes."""

import os
from pathlib import Path

import pytest

from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import DEFAULT, EASY, FIFO
from tests.core.weeks import read_week, replay

TRACES = Path(os.environ.get("EISBACH_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "traces"
FIFO_MEAN_S, EASY_MEAN_S, FIFO_GANGS_S, EASY_GANGS_P99_S = 2199.69, 854.1, 2649.0, 23_808
FIFO_MEAN_100K_S, EASY_MEAN_100K_S = 27.94, 12.2


def a_week(name, jobs_max=None):
    path = TRACES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return read_week(path, jobs_max)


def test_the_first_days_order_the_policies_and_keep_every_promise():
    rows = a_week("week_10k", 1000)
    fifo, easy, default = (replay(rows, 800, policy) for policy in (FIFO, EASY, DEFAULT))
    assert len(fifo.waits_s) == len(easy.waits_s) == len(default.waits_s) == 1000
    assert max(easy.mean_wait_s, default.mean_wait_s) < fifo.mean_wait_s
    assert fifo.promises == 0 < easy.promises
    assert easy.late == default.late == 0


@pytest.mark.prove
def test_fifo_waits_exactly_as_counted():
    shown = replay(a_week("week_10k"), 1250, FIFO)
    assert round(shown.mean_wait_s, 2) == FIFO_MEAN_S
    assert round(shown.mean_gang_wait_s) == FIFO_GANGS_S


@pytest.mark.prove
def test_easy_waits_as_counted():
    shown = replay(a_week("week_10k"), 1250, EASY)
    assert shown.mean_wait_s == pytest.approx(EASY_MEAN_S, rel=0.002)
    assert (shown.p99_gang_wait_s(), shown.late) == (EASY_GANGS_P99_S, 0)


@pytest.mark.prove
@pytest.mark.parametrize("within", [None, Within(Level.RACK)])
def test_the_default_beats_easy_on_the_mean_and_strict_order_on_gangs(within):
    shown = replay(a_week("week_10k"), 1250, DEFAULT, within=within)
    assert shown.mean_wait_s <= EASY_MEAN_S
    assert shown.mean_gang_wait_s <= FIFO_GANGS_S
    assert shown.p99_gang_wait_s() <= EASY_GANGS_P99_S
    assert shown.late == 0


@pytest.mark.prove
@pytest.mark.parametrize(("policy", "mean_s", "rel"), [(FIFO, FIFO_MEAN_100K_S, 0.0002), (EASY, EASY_MEAN_100K_S, 0.002)])
def test_the_larger_week_too(policy, mean_s, rel):
    assert replay(a_week("week_100k"), 12_500, policy).mean_wait_s == pytest.approx(mean_s, rel=rel)


@pytest.mark.prove
def test_the_default_beats_easy_on_the_larger_week():
    shown = replay(a_week("week_100k"), 12_500, DEFAULT)
    assert shown.mean_wait_s <= EASY_MEAN_100K_S
    assert shown.late == 0
