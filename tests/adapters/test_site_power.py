"""The site file's power, stream, heat and carbon: units, defaults, and what is refused in which words."""

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.site_file import read_site_file
from eisbach.core.power.cooling import Limits
from eisbach.core.vocabulary.interval import month_start

JULY = month_start(2026, 7)
GOOD = """
[[site]]
name = "munich"
country = "DE"
operator = "An operator"
operator_country = "DE"
simulated = true

[site.power]
grid_kw = 25_000
losses_fixed_kw = 50
chillers_kw = 2_000
air_c = [0, 1, 5, 10, 15, 18, 20, 19, 15, 10, 5, 1]

[site.stream]
name = "Eisbach"
flow_m3_s = [9, 9, 10, 11, 12, 12, 11, 10, 9, 9, 9, 9]
temperature_c = 12.5
temperature_csv = "stream.csv"
fish = "Sa-HR"

[site.heat]
demand_kw = 3_000
heat_pump_cop = 4.0

[site.carbon]
grid_g_per_kwh = 363
residual_g_per_kwh = 700
renewable = 1.0

[[node]]
site = "munich"
name = "n"
pool = "p"
flavour = "cpu"
cores = 8
memory_mib = 1024
"""


@pytest.fixture
def read(tmp_path):
    def read(text=GOOD, recorded="instant,value\n2026-07-01T00:00:00Z,17.25\n2026-07-01T01:00:00Z,\n"):
        (tmp_path / "stream.csv").write_text(recorded)
        (tmp_path / "site.toml").write_text(text)
        (site,) = read_site_file(tmp_path / "site.toml")
        return site

    return read


def test_a_plant_is_read_in_the_units_of_the_core(read):
    site = read()
    assert site.plant is not None
    assert site.power.grid_mw == 25_000_000_000
    assert site.power.supply.fixed_mw == 50_000_000
    assert site.stream.temperature.at(JULY) == 17_250, "what was recorded wins"
    assert site.stream.temperature.at(JULY - 1) == 12_500
    assert site.stream.permit.at(JULY) == Limits(21_500, 1_500)
    assert "OGewV" in site.stream.permit.source
    assert site.heat.export.cop_milli == 4_000
    assert site.carbon.renewable_permille == 1000


def test_a_permit_of_the_site_takes_the_place_of_the_ordinance(read):
    own = 'permit = { summer_c = 20, summer_rise_k = 1, winter_c = 9, winter_rise_k = 1, source = "notice 7" }'
    permit = read(GOOD.replace('fish = "Sa-HR"', own)).stream.permit
    assert (permit.summer, permit.source) == (Limits(20_000, 1_000), "notice 7")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("grid_kw = 25_000", "", "grid_kw is None"),
        ("grid_kw = 25_000", "grid_kw = -1", "grid_kw is -1, but must be a number from"),
        ("grid_kw = 25_000", 'grid_kw = "much"', "grid_kw is 'much'"),
        ("grid_kw = 25_000", "grid_kw = nan", "grid_kw is nan"),
        ("grid_kw = 25_000", "gird_kw = 1", "'gird_kw' is not known"),
        ("[0, 1, 5, 10, 15, 18, 20, 19, 15, 10, 5, 1]", "[1, 2]", "but must be one number or 12 of them"),
        ("temperature_c = 12.5", "temperature_c = 80", "each from -1 to 40"),
        ("temperature_c = 12.5", "", "temperature_c is None"),
        ('fish = "Sa-HR"', 'fish = "Salmon"', "known are Sa-ER"),
        ('fish = "Sa-HR"', "", "says neither fish and permit"),
        ("heat_pump_cop = 4.0", "heat_pump_cop = 0.9", "a heat pump has more than 1"),
        ("renewable = 1.0", "renewable = 100", "from 0 to 1"),
        ("temperature_csv = \"stream.csv\"", "temperature_csv = \"gone.csv\"", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(read, before, after, said):
    assert before in GOOD
    with pytest.raises(HomeFileError, match=r"munich|stream|gone") as refused:
        read(GOOD.replace(before, after))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        pytest.param("2026-07-01T00:00:00Z;17.2\n", "two", id="semicolons"),
        pytest.param("2026-07-01T00:00:00Z,17,2\n", "3 fields", id="decimal comma"),
        pytest.param("01.07.2026 00:00,17.2\n", "no instant", id="another calendar"),
        pytest.param("2026-07-01T00:00:00,17.2\n", "offset", id="local time: which of the double hours?"),
        pytest.param("2026-07-01T01:00:00Z,17\n2026-07-01T00:00:00Z,17\n", "after the line before", id="order"),
        pytest.param("2026-07-01T00:00:00Z,-99.9\n", "no measurement", id="a sensor's word for broken"),
        pytest.param("2026-07-01T00:00:00Z,nan\n", "no measurement", id="not a number"),
        pytest.param("2026-07-01T00:00:00Z,warm\n", "not a number", id="words"),
    ],
)
def test_absurd_stream_data_refuse_the_file_by_line(read, recorded, said):
    with pytest.raises(HomeFileError, match=r"stream\.csv:") as refused:
        read(recorded=recorded)
    assert said in str(refused.value)


def test_missing_stream_data_leave_the_monthly_mean(read):
    series = read(recorded="").stream.temperature
    assert series.at(JULY) == 12_500


HOURS = """
[site.price]
share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]
share_daily = [0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
share_csv = "prices.csv"

[site.grid_carbon]
g_per_kwh = 350
g_per_kwh_daily = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -100, -100, -100, -100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
g_per_kwh_csv = "carbon.csv"

[[node]]"""


@pytest.fixture
def read_hours(tmp_path, read):
    def read_hours(text=HOURS, prices="instant,value\n2026-07-01T05:00:00Z,2\n", carbon="instant,value\n"):
        (tmp_path / "prices.csv").write_text(prices)
        (tmp_path / "carbon.csv").write_text(carbon)
        return read(GOOD.replace("[[node]]", text, 1))

    return read_hours


def test_prices_and_carbon_by_the_hour_are_read(read_hours):
    site, hour = read_hours(), 3_600_000
    assert [site.price.at(JULY + hours * hour) for hours in (0, 5, 9)] == [800, 2_000, 1_300], "by month, as recorded, by hour of the day"
    assert [site.grid_carbon.at(JULY + hours * hour) for hours in (0, 12)] == [350, 250]
    plain = read_hours("[site.price]\n\n[[node]]")
    assert (plain.price.at(JULY), plain.grid_carbon) == (1_000, None)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]", "share = -1", "[price] share is -1"),
        ("share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]", "share = [1, 2]", "but must be one number or 12 of them"),
        ("share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]", "share = nan", "share is nan"),
        ("share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]", 'share = "dear"', "share is 'dear'"),
        ("share = [1, 1, 1, 1, 0.8, 0.8, 0.8, 1, 1, 1, 1, 1.25]", "shares = 1", "'shares' is not known"),
        ("share_daily = [0, 0,", "share_daily = [0,", "24"),
        ("g_per_kwh = 350\n", "g_per_kwh = 100_000\n", "[grid_carbon] g_per_kwh is 100000"),
        ("g_per_kwh = 350\n", "", "g_per_kwh is None"),
        ("g_per_kwh_csv", "g_csv", "'g_csv' is not known"),
        ('"carbon.csv"', '"nowhere.csv"', "nowhere.csv"),
        ("[site.price]", "[site.prices]", "'prices'"),
    ],
)
def test_prices_and_carbon_that_cannot_be_are_refused(read_hours, before, after, said):
    assert before in HOURS
    with pytest.raises(HomeFileError) as refused:
        read_hours(HOURS.replace(before, after, 1))
    assert said in str(refused.value)


@pytest.mark.parametrize("value", ["nan", "-1", "1e9", "dear"])
def test_recorded_prices_that_cannot_be_are_refused_by_line(read_hours, value):
    with pytest.raises(HomeFileError, match=r"prices\.csv:2"):
        read_hours(prices=f"instant,value\n2026-07-01T05:00:00Z,{value}\n")
