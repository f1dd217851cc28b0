"""The draw model against measured servers: driven by the measured activity, it gives the measured distribution of power.

The data lie outside the repository: in `../shared`, or in the folder that EISBACH_SHARED names.
"""

import csv
import gzip
import os
from pathlib import Path

import pytest

from eisbach.core.power.draw import active_mw, rating_of

SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).parents[3] / "shared"))
CDFS = SHARED / "data" / "traces" / "acme_util_power_cdfs.csv.gz"
pytestmark = pytest.mark.skipif(not CDFS.exists(), reason=f"no measured distributions at {CDFS}; set EISBACH_SHARED")


def series(name, number):
    with gzip.open(CDFS, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [float(row["value"]) for row in rows if (row["file"], row["series"]) == (name, str(number))]


def modelled_w(activity_percent):
    """An A100 server all of whose GPUs are so active; its cores follow them."""
    rating = rating_of("a100.8", 128_000, 8)
    activity = round(activity_percent * 10)
    above = active_mw(rating, cores_permille=activity, gpus_permille=1000, activity_permille=activity)
    return (rating.idle_mw + sum(above)) / 1000


@pytest.mark.parametrize(
    ("percents", "tolerance"),
    [
        pytest.param(range(40, 98), 0.08, id="servers at work: within 8 %"),
        pytest.param([50, 75, 90, 95], 0.06, id="the quantiles that are quoted: within 6 %"),
        pytest.param(range(5, 31), 0.15, id="servers at rest: within 15 % (their cores are not modelled apart)"),
    ],
)
def test_quantiles_of_the_model_are_those_that_were_measured(percents, tolerance):
    activity, power = series("util_gpu_seren", 4), series("server_power", 0)
    for percent in percents:
        at = round(percent / 100 * 999)
        assert modelled_w(activity[at]) == pytest.approx(power[at], rel=tolerance), f"p{percent}"


def test_the_mean_is_the_measured_one():
    """What bills are made of is energy: the mean counts more than any quantile."""
    activity, power = series("util_gpu_seren", 4), series("server_power", 0)
    assert sum(map(modelled_w, activity)) / len(activity) == pytest.approx(sum(power) / len(power), rel=0.03)
