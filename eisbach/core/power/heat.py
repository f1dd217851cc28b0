"""Waste heat for the quarter: offered, demanded, delivered; by direct exchange or lifted by a heat pump."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatExport:
    """How heat leaves for the quarter.

    `recoverable_ppm` is the share of the racks' heat that the loop can hand over. A heat pump (`cop_milli`, heat delivered for each
    watt it draws, in thousandths) adds its own electricity to what it delivers; 0 is direct exchange.
    """

    recoverable_ppm: int = 700_000
    cop_milli: int = 0

    def flow(self, heat_mw: int, demand_mw: int) -> "HeatFlow":
        """Return what is offered, demanded and delivered while the racks give off this heat."""
        source = max(0, heat_mw) * self.recoverable_ppm // 1_000_000
        demand = max(0, demand_mw)
        if not self.cop_milli:
            delivered = min(source, demand)
            return HeatFlow(source, demand, delivered, delivered, 0)
        if self.cop_milli <= 1000:
            raise ValueError("a heat pump delivers more than it draws")
        offered = source * self.cop_milli // (self.cop_milli - 1000)
        delivered = min(offered, demand)
        electricity = delivered * 1000 // self.cop_milli
        return HeatFlow(offered, demand, delivered, delivered - electricity, electricity)


@dataclass(frozen=True, slots=True)
class HeatFlow:
    """The quarter's account: delivered = taken from the racks + electricity of the heat pump."""

    offered_mw: int
    demand_mw: int
    delivered_mw: int
    taken_mw: int
    electricity_mw: int
