"""Draw, losses, stream, heat and what the racks may draw, against figures that stand in standards and data sheets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.power import draw
from eisbach.core.power.budget import (
    CapCause,
    Connection,
    Plant,
    Quarter,
    Stream,
    allowed_at,
    allowed_for_grid,
    allowed_within,
    operate,
)
from eisbach.core.power.cooling import (
    Cooling,
    FishCommunity,
    Limits,
    Permit,
    Water,
    heat_allowed_mw,
    permit_for,
    rise_mk,
)
from eisbach.core.power.heat import HeatExport
from eisbach.core.power.series import Series, constant
from eisbach.core.power.supply import Supply
from eisbach.core.vocabulary.interval import month_start
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS

MEGAWATT = 1_000_000_000
JANUARY, JULY = month_start(2026, 1), month_start(2026, 7)


def a_plant(*, grid_mw=25 * MEGAWATT, air=20_000, flow=4_000, water=15_000, chillers_mw=0, quarter=None, stream=True):
    def series(value):
        return value if isinstance(value, Series) else constant(value)

    return Plant(
        connection=Connection(
            grid_mw=grid_mw,
            supply=Supply(rated_mw=25 * MEGAWATT, fixed_mw=MEGAWATT // 20),
            cooling=Cooling(chillers_mw=chillers_mw),
            air=series(air),
        ),
        stream=Stream(
            name="a stream", flow=series(flow), temperature=series(water), permit=permit_for(FishCommunity.SA_HR)
        )
        if stream
        else None,
        quarter=quarter,
    )


def test_one_cubic_metre_a_second_and_one_kelvin_carry_4180_kilowatts():
    permit = Limits(temperature_mc=20_000, rise_mk=1_000)
    assert heat_allowed_mw(Water(1_000, 10_000), permit) == 4_180_000_000
    assert rise_mk(4_180_000_000, 1_000) == 1_000


def test_1250_systems_at_14_3_kilowatts_need_2_86_cubic_metres_at_1_5_kelvin():
    heat = 1250 * draw.rating_of("b200.8", 224_000, 8).rated_mw
    assert heat == 17_875_000_000  # 17.9 MW
    assert rise_mk(heat, 2_860) <= 1_500 < rise_mk(heat, 2_850)


def test_ratings_are_those_of_the_data_sheets():
    assert draw.rating_of("b200.8", 224_000, 8).rated_mw == 14_300_000
    assert draw.rating_of("rtxpro6000.8", 128_000, 8).rated_mw == 8 * 600 * 1788
    assert draw.rating_of("a100.8", 128_000, 8).rated_mw == 6_554_000
    assert draw.rating_of("cpu", 128_000, 0).idle_mw == 521_984
    assert draw.rating_of("something.1", 1000, 1).rated_mw == 400 * 1788


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_more_activity_never_draws_less(one, other):
    assert draw.curve(min(one, other)) <= draw.curve(max(one, other))
    assert 0 <= draw.curve(one) <= 1000


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.sampled_from(["b200.8", "cpu"]), st.integers(0, 1000))
def test_shares_of_a_node_never_draw_more_than_the_node(parts, flavour, activity):
    """What a cap reckons with is never less than what is modelled, and all shares together are at most the rating."""
    rating = draw.rating_of(flavour, 64_000, 8 if flavour != "cpu" else 0)
    shares = [part * 1000 // sum(parts) for part in parts]
    reserved = [draw.reserved_mw(rating, cores_permille=share, gpus_permille=share) for share in shares]
    active = [
        sum(draw.active_mw(rating, cores_permille=share, gpus_permille=share, activity_permille=activity))
        for share in shares
    ]
    assert all(least <= most for least, most in zip(active, reserved, strict=True))
    assert rating.idle_mw + sum(reserved) <= rating.rated_mw + len(parts)


def test_losses_are_fixed_proportional_and_square():
    supply = Supply(rated_mw=1_000_000, fixed_mw=500, proportional_ppm=30_000, square_ppm=20_000)
    assert supply.losses_mw(0) == 500
    assert supply.losses_mw(1_000_000) == 500 + 30_000 + 20_000
    assert supply.losses_mw(500_000) == 500 + 15_000 + 5_000


def test_the_permit_follows_the_season():
    permit = permit_for(FishCommunity.SA_HR)
    assert permit.at(JULY) == Limits(21_500, 1_500)
    assert permit.at(JANUARY) == Limits(10_000, 1_500)
    assert permit.at(month_start(2026, 4) - 1) == permit.at(JANUARY)
    assert permit.at(month_start(2026, 4)) == permit.at(JULY)
    assert permit.at(month_start(2026, 12)) == permit.at(JANUARY)


def test_each_fish_community_has_its_limits():
    found = {
        one.value: (permit_for(one).summer.temperature_mc, permit_for(one).winter.rise_mk) for one in FishCommunity
    }
    assert found == {
        "Sa-ER": (20_000, 1_000), "Sa-MR": (20_000, 1_500), "Sa-HR": (21_500, 1_500), "Cyp-R": (23_000, 2_000),
        "EP": (25_000, 3_000), "MP": (28_000, 3_000), "HP": (28_000, 3_000),
    }  # fmt: skip


def test_a_stream_that_is_too_warm_already_takes_nothing():
    assert heat_allowed_mw(Water(5_000, 22_000), Limits(21_500, 1_500)) == 0
    assert heat_allowed_mw(Water(0, 12_000), Limits(21_500, 1_500)) == 0
    with pytest.raises(ValueError, match="without water"):
        rise_mk(1, 0)


def test_what_the_stream_may_not_take_goes_to_chillers_and_the_rest_has_no_place():
    load = Cooling(chillers_mw=300, chiller_cop_milli=3_000, pumps_ppm=100_000).split(1_000, 500)
    assert (load.stream_mw, load.chillers_mw, load.excess_mw) == (500, 300, 200)
    assert load.electricity_mw == 50 + 100


def test_heat_is_delivered_up_to_the_demand_and_the_account_balances():
    direct = HeatExport(recoverable_ppm=500_000).flow(1_000, 300)
    assert (direct.offered_mw, direct.delivered_mw, direct.taken_mw, direct.electricity_mw) == (500, 300, 300, 0)
    lifted = HeatExport(recoverable_ppm=500_000, cop_milli=4_000).flow(900, 10_000)
    assert lifted.delivered_mw == lifted.offered_mw == 600
    assert lifted.delivered_mw == lifted.taken_mw + lifted.electricity_mw == 450 + 150


@given(st.integers(0, 10**10), st.integers(0, 10**10), st.sampled_from([0, 1_500, 3_000, 5_000]))
def test_the_account_of_heat_always_balances(heat, demand, cop):
    flow = HeatExport(cop_milli=cop).flow(heat, demand)
    assert flow.delivered_mw == min(flow.offered_mw, flow.demand_mw) == flow.taken_mw + flow.electricity_mw
    assert 0 <= flow.taken_mw <= heat


def test_what_the_quarter_takes_is_not_the_streams():
    plant = a_plant(quarter=Quarter(export=HeatExport(recoverable_ppm=700_000), demand=constant(5 * MEGAWATT)))
    with_quarter, alone = operate(plant, 10 * MEGAWATT, JULY), operate(a_plant(), 10 * MEGAWATT, JULY)
    assert with_quarter.cooling.stream_mw == alone.cooling.stream_mw - 5 * MEGAWATT
    assert with_quarter.rise_mk < alone.rise_mk
    assert allowed_at(plant, JULY) == allowed_at(a_plant(), JULY), "nobody has to take the heat"


def test_what_limits_a_site_has_a_name():
    assert allowed_at(a_plant(), JULY).cause is CapCause.GRID
    assert allowed_at(a_plant(flow=1_000), JULY).cause is CapCause.STREAM
    hot = allowed_at(a_plant(air=36_000), JULY)
    assert hot.cause is CapCause.HOT_DAY
    assert hot.it_mw < allowed_at(a_plant(), JULY).it_mw * 9 // 10


def test_half_the_flow_is_half_the_heat():
    whole = allowed_at(a_plant(flow=2_000), JULY).it_mw
    half = allowed_at(a_plant(flow=1_000), JULY).it_mw
    assert abs(2 * half - whole) < whole // 20, "but for the fixed losses"
    assert operate(a_plant(flow=1_000), half, JULY).rise_mk <= 1_500
    assert operate(a_plant(flow=1_000), half + MEGAWATT, JULY).cooling.excess_mw > 0


def test_a_site_without_a_stream_gives_its_heat_to_chillers():
    plant = a_plant(stream=False, chillers_mw=9 * MEGAWATT)
    assert allowed_at(plant, JULY).cause is CapCause.STREAM
    assert operate(plant, 5 * MEGAWATT, JULY).rise_mk == 0


plants = st.builds(
    lambda flow, water, air, swing, grid, chillers: a_plant(
        grid_mw=grid,
        air=Series(monthly=(air,) * 12, hourly=tuple(swing * abs(12 - hour) for hour in range(24))),
        flow=Series(monthly=tuple(flow * (12 + month) // 12 for month in range(12))),
        water=Series(monthly=tuple(water + 300 * month for month in range(12))),
        chillers_mw=chillers,
    ),
    st.integers(0, 6_000),
    st.integers(5_000, 20_000),
    st.integers(-5_000, 40_000),
    st.integers(0, 500),
    st.integers(0, 30 * MEGAWATT),
    st.integers(0, 2 * MEGAWATT),
)


@given(plants, st.integers(JANUARY, JANUARY + 365 * DAY_MS), st.integers(0, 2 * HOUR_MS))
def test_the_least_over_a_time_is_the_least_at_any_instant_in_it(plant, start, ahead):
    least = allowed_within(plant, start, start + ahead)
    for step in range(0, ahead + 1, max(1, ahead // 7)):
        assert least.it_mw <= allowed_at(plant, start + step).it_mw


@given(plants, st.integers(JANUARY, JANUARY + 365 * DAY_MS))
def test_what_is_allowed_keeps_permit_and_connection(plant, instant):
    allowed = allowed_at(plant, instant).it_mw
    running = operate(plant, allowed, instant)
    if allowed:
        assert running.is_allowed
        assert running.total_mw <= plant.connection.grid_mw
    if running.water is not None and running.limits is not None and running.water.flow_litres_s:
        assert running.rise_mk <= running.limits.rise_mk
        assert running.cooling.stream_mw == 0 or running.water.temperature_mc + running.rise_mk <= running.limits.temperature_mc


def test_a_cap_on_the_connection_is_one_on_the_racks():
    racks = allowed_for_grid(a_plant(), 10 * MEGAWATT, JULY)
    assert operate(a_plant(), racks, JULY).total_mw <= 10 * MEGAWATT < operate(a_plant(), racks + 1000, JULY).total_mw
    assert allowed_for_grid(a_plant(), -1, JULY) == 0


def test_a_series_goes_through_its_months_and_recorded_values_win():
    series = Series(monthly=tuple(range(0, 12_000, 1000)), hourly=(7,) + (0,) * 23)
    middle = (month_start(2026, 3) + month_start(2026, 4)) // 2
    assert series.at(middle) == 2000
    assert series.at(JANUARY) in range(5_000, 6_000), "half way from December to January"
    recorded = replace(series, recorded_ms=(middle,), recorded=(42,))
    assert recorded.at(middle + HOUR_MS) == 42
    assert recorded.at(middle + 4 * HOUR_MS) != 42, "an old value does not hold for ever"


def test_a_permit_of_the_site_takes_the_place_of_the_ordinance():
    own = Permit(summer=Limits(19_000, 1_000), winter=Limits(9_000, 1_000), source="permit 2026-1")
    assert own.at(JULY).rise_mk == 1_000
