"""PUE, WUE, ERF and REF as Delegated Regulation (EU) 2024/1364 defines them, and the carbon of electricity; all integers.

PUE = E_DC / E_IT, WUE = W_IN / E_IT, ERF = E_REUSE / E_DC, REF = E_RES-TOT / E_DC (annex III). A figure whose inputs are
missing or 0 is None: "not measured", never 0 and never infinite.
"""

from dataclasses import dataclass

from eisbach.core.vocabulary.quantities import MJ_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """`[site.carbon]`: grams of CO2 equivalent a kWh of the country's grid and of its residual mix, in thousandths the
    share of the site's electricity for which certificates of origin are cancelled, and who says all that.
    """

    grid_g_per_kwh: int
    residual_g_per_kwh: int
    renewable_permille: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class SiteEnergy:
    """What a site drew and gave over some time: millijoule, and millilitres of water. None where nobody knows."""

    it_mj: int
    overhead_mj: int
    reused_mj: int | None = None
    renewable_mj: int | None = None
    water_ml: int | None = None

    @property
    def total_mj(self) -> int:
        """Return what came from the grid: E_DC."""
        return self.it_mj + self.overhead_mj


@dataclass(frozen=True, slots=True)
class Indicators:
    """The four figures: PUE, ERF and REF in thousandths, WUE in millilitres a kWh."""

    pue_milli: int | None
    wue_ml_per_kwh: int | None
    erf_milli: int | None
    ref_milli: int | None


def indicators(energy: SiteEnergy) -> Indicators:
    """Return the figures, rounded half up."""
    return Indicators(
        pue_milli=_ratio(energy.total_mj, energy.it_mj, 1000),
        wue_ml_per_kwh=_ratio(energy.water_ml, energy.it_mj, MJ_PER_KWH),
        erf_milli=_ratio(energy.reused_mj, energy.total_mj, 1000),
        ref_milli=_ratio(energy.renewable_mj, energy.total_mj, 1000),
    )


def carbon_mg(energy_mj: int, g_per_kwh: int) -> int:
    """Return milligrams of CO2 equivalent of an energy, rounded half up."""
    return (energy_mj * g_per_kwh * 1000 * 2 + MJ_PER_KWH) // (2 * MJ_PER_KWH)


def market_g_per_kwh(residual_g_per_kwh: int, renewable_permille: int) -> int:
    """Return grams a kWh by the market-based method: what cancelled certificates do not cover has the residual mix.

    Source: GHG Protocol Scope 2 Guidance (2015), chapter 6.
    """
    return (residual_g_per_kwh * (1000 - renewable_permille) + 500) // 1000


def _ratio(above: int | None, below: int, scale: int) -> int | None:
    if above is None or below <= 0:
        return None
    return (above * scale * 2 + below) // (2 * below)
