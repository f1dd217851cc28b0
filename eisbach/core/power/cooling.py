"""Cooling by a stream: how warm the water may become, how much heat it takes, and what pumps and chillers draw.

T_down = T_up + Q / (rho · cp · flow), with rho · cp = 4.18 MJ/(m³·K): 1 m³/s and 1 K carry 4.18 MW. Temperatures are those
of the fully mixed stream, in thousandths of a degree Celsius.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from eisbach.core.vocabulary.interval import year_and_month

HEAT_OF_LITRE_MJ = 4_180
"""Millijoule that warm a litre of water by a thousandth of a kelvin: rho · cp, in millijoule per (litre · millikelvin)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a permit allows the stream below the site: its temperature and how much it was warmed."""

    temperature_mc: int
    rise_mk: int


class FishCommunity(Enum):
    """Fish communities of running waters as the surface-water ordinance (OGewV) names them."""

    SA_ER = "Sa-ER"
    SA_MR = "Sa-MR"
    SA_HR = "Sa-HR"
    CYP_R = "Cyp-R"
    EP = "EP"
    MP = "MP"
    HP = "HP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The limits of a site by season, and since when they hold."""

    summer: Limits
    winter: Limits
    winter_months: frozenset[int] = frozenset({12, 1, 2, 3})
    source: str = ""
    valid_from_ms: int = 0

    def at(self, instant: int) -> Limits:
        """Return the limits of the season."""
        return self.winter if year_and_month(instant)[1] in self.winter_months else self.summer


OGEWV_SOURCE = "OGewV 2016, annex 7 no. 2.1 (good status)"
_OGEWV: Mapping[FishCommunity, tuple[Limits, Limits]] = {
    FishCommunity.SA_ER: (Limits(20_000, 1_500), Limits(8_000, 1_000)),
    FishCommunity.SA_MR: (Limits(20_000, 1_500), Limits(10_000, 1_500)),
    FishCommunity.SA_HR: (Limits(21_500, 1_500), Limits(10_000, 1_500)),
    FishCommunity.CYP_R: (Limits(23_000, 2_000), Limits(10_000, 2_000)),
    FishCommunity.EP: (Limits(25_000, 3_000), Limits(10_000, 3_000)),
    FishCommunity.MP: (Limits(28_000, 3_000), Limits(10_000, 3_000)),
    FishCommunity.HP: (Limits(28_000, 3_000), Limits(10_000, 3_000)),
}


def permit_for(community: FishCommunity) -> Permit:
    """Return the ordinance's limits for a fish community; a site's own permit takes their place."""
    summer, winter = _OGEWV[community]
    return Permit(summer=summer, winter=winter, source=f"{OGEWV_SOURCE}, {community.value}")


@dataclass(frozen=True, slots=True)
class Water:
    """The stream above the site."""

    flow_litres_s: int
    temperature_mc: int


def rise_mk(heat_mw: int, flow_litres_s: int) -> int:
    """Return by how much heat warms the stream, rounded up; a stream without water takes none."""
    if heat_mw <= 0:
        return 0
    if flow_litres_s <= 0:
        raise ValueError("a stream without water takes no heat")
    return -(-heat_mw // (flow_litres_s * HEAT_OF_LITRE_MJ))


def heat_allowed_mw(water: Water, limits: Limits) -> int:
    """Return how much heat the stream may take so that neither its temperature nor its rise exceeds the limits."""
    rise = min(limits.rise_mk, limits.temperature_mc - water.temperature_mc)
    return max(0, rise) * max(0, water.flow_litres_s) * HEAT_OF_LITRE_MJ


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """The cooling plant: pumps that move heat into the stream, chillers that give it to the air where the stream may not.

    `pumps_ppm` is what pumps draw, in millionths of the heat that they move; `chillers_mw` the most heat that chillers take,
    `chiller_cop_milli` how much of it for each watt they draw; `evaporated_ml_per_kwh` the water that they evaporate.
    """

    pumps_ppm: int = 15_000
    chillers_mw: int = 0
    chiller_cop_milli: int = 4_000
    evaporated_ml_per_kwh: int = 0

    def split(self, heat_mw: int, stream_allowed_mw: int) -> "CoolingLoad":
        """Return who takes a heat: the stream as much as it may, then the chillers; what is left has no place."""
        stream = min(max(0, heat_mw), stream_allowed_mw)
        chillers = min(heat_mw - stream, self.chillers_mw)
        return CoolingLoad(
            stream_mw=stream,
            chillers_mw=chillers,
            excess_mw=heat_mw - stream - chillers,
            electricity_mw=-(-stream * self.pumps_ppm // 1_000_000) + -(-chillers * 1000 // self.chiller_cop_milli),
        )


@dataclass(frozen=True, slots=True)
class CoolingLoad:
    """Where heat goes and what moving it draws. `excess_mw` must be 0: it is heat that nothing may take."""

    stream_mw: int
    chillers_mw: int
    excess_mw: int
    electricity_mw: int
