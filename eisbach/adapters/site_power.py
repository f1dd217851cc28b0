"""The tables of the site file about power, stream, heat, carbon (docs/energy.md) and prices by the hour (docs/bookings.md).

A file writes kilowatts, degrees and cubic metres; the core counts in milliwatt, thousandths of a degree and litres.
"""

from datetime import UTC, datetime

from eisbach.adapters.file_table import FileTable
from eisbach.core.metering.indicators import Carbon
from eisbach.core.power.budget import Connection, Derating, Quarter, Stream
from eisbach.core.power.cooling import Cooling, FishCommunity, Limits, Permit, permit_for
from eisbach.core.power.heat import HeatExport
from eisbach.core.power.series import Series
from eisbach.core.power.supply import Supply

KILOWATT = 1_000_000
POWER_KEYS = (
    "grid_kw", "losses_fixed_kw", "losses_proportional", "losses_square", "pumps", "chillers_kw", "chiller_cop",
    "evaporation_l_per_kwh", "hot_above_c", "hot_loss_per_k", "air_c", "air_daily_k", "air_csv",
)  # fmt: skip
STREAM_KEYS = ("name", "flow_m3_s", "flow_csv", "temperature_c", "temperature_daily_k", "temperature_csv", "fish", "permit")
PERMIT_KEYS = ("summer_c", "summer_rise_k", "winter_c", "winter_rise_k", "source", "valid_from")
HEAT_KEYS = ("demand_kw", "demand_daily_kw", "demand_csv", "recoverable", "heat_pump_cop")
GRID_CARBON_KEYS = ("g_per_kwh", "g_per_kwh_daily", "g_per_kwh_csv")
PRICE_KEYS = ("share", "share_daily", "share_csv")
CARBON_KEYS = ("grid_g_per_kwh", "residual_g_per_kwh", "renewable", "source")


def read_power(at: FileTable) -> Connection:
    """Return the connection, its losses, the cooling plant and the air."""
    at.known(POWER_KEYS)
    grid_mw = at.number("grid_kw", 0.001, 10_000_000, KILOWATT)
    return Connection(
        grid_mw=grid_mw,
        supply=Supply(
            rated_mw=grid_mw,
            fixed_mw=at.number("losses_fixed_kw", 0, 100_000, KILOWATT, default=0),
            proportional_ppm=at.number("losses_proportional", 0, 0.5, 1_000_000, default=0.03),
            square_ppm=at.number("losses_square", 0, 0.5, 1_000_000, default=0.02),
        ),
        cooling=Cooling(
            pumps_ppm=at.number("pumps", 0, 1, 1_000_000, default=0.015),
            chillers_mw=at.number("chillers_kw", 0, 10_000_000, KILOWATT, default=0),
            chiller_cop_milli=at.number("chiller_cop", 1, 20, 1000, default=4.0),
            evaporated_ml_per_kwh=at.number("evaporation_l_per_kwh", 0, 10, 1000, default=0),
        ),
        air=at.series("air", "air_c", "air_daily_k", -60, 60, 1000, default=10),
        derating=Derating(
            above_mc=at.number("hot_above_c", 0, 60, 1000, default=30),
            permille_per_k=at.number("hot_loss_per_k", 0, 1, 1000, default=0.02),
        ),
    )


def read_stream(at: FileTable) -> Stream:
    """Return the stream and its permit."""
    at.known(STREAM_KEYS)
    return Stream(
        name=at.text("name"),
        flow=at.series("flow", "flow_m3_s", "", 0, 100_000, 1000),
        temperature=at.series("temperature", "temperature_c", "temperature_daily_k", -1, 40, 1000),
        permit=_permit(at),
    )


def read_heat(at: FileTable) -> Quarter:
    """Return how heat leaves for the quarter and what that wants."""
    at.known(HEAT_KEYS)
    cop = at.number("heat_pump_cop", 0, 20, 1000, default=0)
    if 0 < cop <= 1000:
        at.wrong(f"heat_pump_cop is {at.said['heat_pump_cop']!r}, but a heat pump has more than 1")
    return Quarter(
        export=HeatExport(recoverable_ppm=at.number("recoverable", 0, 1, 1_000_000, default=0.7), cop_milli=cop),
        demand=at.series("demand", "demand_kw", "demand_daily_kw", 0, 10_000_000, KILOWATT),
    )


def read_carbon(at: FileTable) -> Carbon:
    """Return where the electricity comes from."""
    at.known(CARBON_KEYS)
    grid = at.number("grid_g_per_kwh", 0, 2_000, 1)
    return Carbon(
        grid_g_per_kwh=grid,
        residual_g_per_kwh=at.number("residual_g_per_kwh", 0, 2_000, 1, default=grid),
        renewable_permille=at.number("renewable", 0, 1, 1000, default=0),
        source=at.optional_text("source"),
    )


def read_grid_carbon(at: FileTable) -> Series:
    """Return the grid's grams of CO2 equivalent a kWh by the hour."""
    at.known(GRID_CARBON_KEYS)
    return at.series("g_per_kwh", "g_per_kwh", "g_per_kwh_daily", 0, 2_000, 1)


def read_price(at: FileTable) -> Series:
    """Return what bookings cost here by the hour, in thousandths of the price list."""
    at.known(PRICE_KEYS)
    return at.series("share", "share", "share_daily", 0, 100, 1000, default=1)


def _permit(at: FileTable) -> Permit:
    communities = {one.value: one for one in FishCommunity}
    unsaid = permit_for(next(iter(communities.values())))
    if ("fish" in at) == ("permit" in at):
        at.wrong(
            f"says {'both' if 'fish' in at else 'neither'} fish and permit; write the permit's limits, or the fish "
            f"community whose limits hold without one: {', '.join(communities)}"
        )
        return unsaid
    if "permit" not in at:
        name = at.said["fish"]
        if name not in communities:
            at.wrong(f"fish is {name!r}; known are {', '.join(communities)}")
            return unsaid
        return permit_for(communities[name])
    table = at.table("permit", f"{at.where} permit:")
    table.known(PERMIT_KEYS)
    return Permit(
        summer=Limits(table.number("summer_c", -1, 40, 1000), table.number("summer_rise_k", 0, 20, 1000)),
        winter=Limits(table.number("winter_c", -1, 40, 1000), table.number("winter_rise_k", 0, 20, 1000)),
        source=table.text("source"),
        valid_from_ms=_day(table),
    )


def _day(table: FileTable) -> int:
    value = table.said.get("valid_from", "1970-01-01")
    try:
        day = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    except ValueError:
        table.wrong(f"valid_from is {value!r}, but must be a day such as 2026-07-01")
        return 0
    return int(day.timestamp()) * 1000
