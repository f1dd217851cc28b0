"""The meter is the sum of its parts, exactly; counters through resets and wraps; figures of efficiency."""

from hypothesis import example, given
from hypothesis import strategies as st

from eisbach.core.metering.counter import Counted, difference
from eisbach.core.metering.indicators import Indicators, SiteEnergy, carbon_mg, indicators, market_g_per_kwh
from eisbach.core.metering.split import JobEnergy, Tenure, share_out, split_meter
from eisbach.core.vocabulary.quantities import HOUR_MS

KWH = 3_600_000_000

tenures = st.builds(
    Tenure,
    job=st.sampled_from(["a", "b", "c", "d"]),
    node=st.sampled_from(["n1", "n2", "gone"]),
    from_ms=st.integers(-HOUR_MS, 2 * HOUR_MS),
    to_ms=st.integers(-HOUR_MS, 2 * HOUR_MS),
    share_permille=st.integers(0, 1000),
    active_mw=st.integers(0, 10**7),
)


@given(
    st.integers(0, 10**14),
    st.integers(0, 10**13),
    st.integers(1, HOUR_MS),
    st.lists(tenures, max_size=12),
    st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), st.integers(0, 10**7)),
)
@example(0, 0, 1, [], {})
@example(5, 3, 1, [], {})
def test_jobs_idle_and_overhead_are_the_meter(it_mj, overhead_mj, length, held, idle):
    split = split_meter(from_ms=0, to_ms=length, it_mj=it_mj, overhead_mj=overhead_mj, idle_mw=idle, tenures=held)
    racks = sum(job.own_mj + job.idle_mj for job in split.jobs) + split.operator_idle_mj
    assert racks == it_mj
    assert sum(job.overhead_mj for job in split.jobs) + split.operator_overhead_mj == overhead_mj
    assert all(min(job.own_mj, job.idle_mj, job.overhead_mj) >= 0 for job in split.jobs)
    assert min(split.operator_idle_mj, split.operator_overhead_mj) >= 0
    assert {job.job for job in split.jobs} <= {one.job for one in held if one.from_ms < length and one.to_ms > 0}


def test_a_job_has_what_it_drew_and_its_share_of_the_idle_while_it_held_the_node():
    """Half of a node of 100 W idle for half an hour, drawing 200 W: 100 Wh of its own and 25 Wh idle; 75 Wh stay."""
    held = Tenure(job="a", node="n", from_ms=0, to_ms=HOUR_MS // 2, share_permille=500, active_mw=200_000)
    split = split_meter(
        from_ms=0, to_ms=HOUR_MS, it_mj=KWH // 5, overhead_mj=KWH // 50, idle_mw={"n": 100_000}, tenures=[held]
    )
    assert split.jobs == (JobEnergy("a", KWH // 10, KWH // 40, KWH // 80),)
    assert split.operator_idle_mj == KWH // 40 * 3
    assert split.operator_overhead_mj == KWH // 50 - KWH // 80


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any))
def test_shares_add_up_and_are_off_by_less_than_one(total, weights):
    parts = share_out(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


def test_counters():
    at = Counted(1_000, "boot 1")
    assert difference(at, Counted(1_500, "boot 1"), 60_000, 10**6) == 500
    assert difference(None, at, 60_000, 10**6) is None, "the first reading says nothing about the time before"
    assert difference(at, Counted(900, "boot 1"), 60_000, 10**6) is None, "it began anew"
    assert difference(at, Counted(9_000, "boot 2"), 60_000, 10**6) is None, "the machine did"


def test_a_counter_that_wraps_is_read_through_one_wrap_only():
    before, after = Counted(900, "b", wraps_at_mj=1_000), Counted(100, "b", wraps_at_mj=1_000)
    assert difference(before, after, 1_000, 500) == 200
    assert difference(before, after, 2_000, 500) is None, "it may have wrapped twice"


def test_figures_of_the_regulation():
    found = indicators(
        SiteEnergy(it_mj=100 * KWH, overhead_mj=20 * KWH, reused_mj=30 * KWH, renewable_mj=120 * KWH, water_ml=5_000)
    )
    assert found == Indicators(pue_milli=1200, wue_ml_per_kwh=50, erf_milli=250, ref_milli=1000)


def test_what_nobody_measured_is_not_a_number():
    assert indicators(SiteEnergy(it_mj=0, overhead_mj=0)) == Indicators(None, None, None, None)
    assert indicators(SiteEnergy(it_mj=0, overhead_mj=7, reused_mj=0)).pue_milli is None
    assert indicators(SiteEnergy(it_mj=5, overhead_mj=0)).wue_ml_per_kwh is None


def test_carbon_is_reported_by_place_and_by_market():
    assert carbon_mg(KWH, 363) == 363_000
    assert carbon_mg(KWH // 1000, 363) == 363
    assert market_g_per_kwh(700, 1000) == 0
    assert market_g_per_kwh(700, 250) == 525
