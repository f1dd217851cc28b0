"""The tables `[site.power]`, `[site.stream]`, `[site.heat]` and `[site.carbon]` of the site file (docs/energy.md).

A file writes kilowatts, degrees and cubic metres; the core counts in milliwatt, thousandths of a degree and litres.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import HomeFileError, known_keys, table_of, text_of
from eisbach.adapters.recorded_series import read_recorded
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
CARBON_KEYS = ("grid_g_per_kwh", "residual_g_per_kwh", "renewable", "source")


def read_power(path: Path, said: Mapping[str, Any], where: str) -> Connection:
    """Return the connection, its losses, the cooling plant and the air; raise HomeFileError."""
    known_keys(path, said, POWER_KEYS, f"{where} ")
    at = _Table(path, said, where)
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


def read_stream(path: Path, said: Mapping[str, Any], where: str) -> Stream:
    """Return the stream and its permit; raise HomeFileError."""
    known_keys(path, said, STREAM_KEYS, f"{where} ")
    at = _Table(path, said, where)
    if ("fish" in said) == ("permit" in said):
        raise HomeFileError(
            f"{path}: {where} says {'both' if 'fish' in said else 'neither'} fish and permit; write the permit's limits, or the fish "
            f"community whose limits hold without one: {', '.join(one.value for one in FishCommunity)}"
        )
    return Stream(
        name=text_of(path, said, "name", where),
        flow=at.series("flow", "flow_m3_s", "", 0, 100_000, 1000),
        temperature=at.series("temperature", "temperature_c", "temperature_daily_k", -1, 40, 1000),
        permit=_permit(path, said, where),
    )


def read_heat(path: Path, said: Mapping[str, Any], where: str) -> Quarter:
    """Return how heat leaves for the quarter and what that wants; raise HomeFileError."""
    known_keys(path, said, HEAT_KEYS, f"{where} ")
    at = _Table(path, said, where)
    cop = at.number("heat_pump_cop", 0, 20, 1000, default=0)
    if 0 < cop <= 1000:
        raise HomeFileError(f"{path}: {where} heat_pump_cop is {said['heat_pump_cop']!r}, but a heat pump has more than 1")
    return Quarter(
        export=HeatExport(recoverable_ppm=at.number("recoverable", 0, 1, 1_000_000, default=0.7), cop_milli=cop),
        demand=at.series("demand", "demand_kw", "demand_daily_kw", 0, 10_000_000, KILOWATT),
    )


def read_carbon(path: Path, said: Mapping[str, Any], where: str) -> Carbon:
    """Return where the electricity comes from; raise HomeFileError."""
    known_keys(path, said, CARBON_KEYS, f"{where} ")
    at = _Table(path, said, where)
    grid = at.number("grid_g_per_kwh", 0, 2_000, 1)
    return Carbon(
        grid_g_per_kwh=grid,
        residual_g_per_kwh=at.number("residual_g_per_kwh", 0, 2_000, 1, default=grid),
        renewable_permille=at.number("renewable", 0, 1, 1000, default=0),
        source=text_of(path, said, "source", where) if "source" in said else "",
    )


def _permit(path: Path, said: Mapping[str, Any], where: str) -> Permit:
    if "permit" not in said:
        communities = {one.value: one for one in FishCommunity}
        name = said["fish"]
        if name not in communities:
            raise HomeFileError(f"{path}: {where} fish is {name!r}; known are {', '.join(communities)}")
        return permit_for(communities[name])
    table = table_of(path, said["permit"], f"{where} permit")
    known_keys(path, table, PERMIT_KEYS, f"{where} permit: ")
    at = _Table(path, table, f"{where} permit:")
    return Permit(
        summer=Limits(at.number("summer_c", -1, 40, 1000), at.number("summer_rise_k", 0, 20, 1000)),
        winter=Limits(at.number("winter_c", -1, 40, 1000), at.number("winter_rise_k", 0, 20, 1000)),
        source=text_of(path, table, "source", f"{where} permit:"),
        valid_from_ms=_day(path, table, where),
    )


def _day(path: Path, table: Mapping[str, Any], where: str) -> int:
    value = table.get("valid_from", "1970-01-01")
    try:
        day = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    except ValueError:
        raise HomeFileError(f"{path}: {where} permit: valid_from is {value!r}, but must be a day such as 2026-07-01") from None
    return int(day.timestamp()) * 1000


class _Table:
    """One table, read with its name in every complaint."""

    def __init__(self, path: Path, said: Mapping[str, Any], where: str) -> None:
        self._path, self._said, self._where = path, said, where

    def number(self, key: str, low: float, high: float, scale: int, *, default: float | None = None) -> int:
        """Return a number between two bounds, counted in units of 1/scale."""
        value = self._said.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise HomeFileError(
                f"{self._path}: {self._where} {key} is {value!r}, but must be a number from {low:g} to {high:g}"
            )
        return round(value * scale)

    def series(
        self, what: str, monthly: str, hourly: str, low: float, high: float, scale: int, *, default: float | None = None
    ) -> Series:
        """Return monthly means (twelve numbers, or one for all), a shape of the day, and recorded values of a CSV file."""
        means = self._numbers(monthly, 12, low, high, scale, default)
        shape = self._numbers(hourly, 24, -high, high, scale, 0) if hourly in self._said else (0,) * 24
        instants, values = self._recorded(f"{what}_csv", low, high, scale)
        return Series(monthly=means, hourly=shape, recorded_ms=instants, recorded=values)

    def _numbers(
        self, key: str, count: int, low: float, high: float, scale: int, default: float | None
    ) -> tuple[int, ...]:
        value = self._said.get(key, default)
        values = value if isinstance(value, list) else [value] * count
        is_right = len(values) == count and all(
            isinstance(one, int | float) and not isinstance(one, bool) and low <= one <= high for one in values
        )
        if not is_right:
            raise HomeFileError(
                f"{self._path}: {self._where} {key} is {value!r}, but must be one number or {count} of them, each from "
                f"{low:g} to {high:g}"
            )
        return tuple(round(one * scale) for one in values)

    def _recorded(self, key: str, low: float, high: float, scale: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if key not in self._said:
            return (), ()
        name = self._said[key]
        if not isinstance(name, str) or not name:
            raise HomeFileError(f"{self._path}: {self._where} {key} is {name!r}, but must be the path of a CSV file")
        return read_recorded(self._path.parent / name, low, high, scale)
