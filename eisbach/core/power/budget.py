"""How much the racks of a site may draw now: the least of grid connection, hot-day derating and cooling permit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from eisbach.core.power.cooling import Cooling, CoolingLoad, Limits, Permit, Water, heat_allowed_mw, rise_mk
from eisbach.core.power.heat import HeatExport, HeatFlow
from eisbach.core.power.series import Series
from eisbach.core.power.supply import Supply
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.quantities import HOUR_MS


class CapCause(Enum):
    """What limits a site's power."""

    NONE = "none"
    GRID = "grid connection"
    HOT_DAY = "hot day"
    STREAM = "cooling permit"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derating:
    """On hot days switchgear, transformers and chillers give less: `permille_per_k` of the connection for each kelvin above."""

    above_mc: int = 30_000
    permille_per_k: int = 20
    least_permille: int = 500

    def permille(self, air_mc: int) -> int:
        """Return how much of the grid connection may be used at this temperature of the air, in thousandths."""
        return max(self.least_permille, 1000 - max(0, air_mc - self.above_mc) * self.permille_per_k // 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`[site.power]`: the connection to the grid, losses behind it, the cooling plant, and the air around all that."""

    grid_mw: int
    supply: Supply
    cooling: Cooling
    air: Series
    derating: Derating = Derating()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """`[site.stream]`: the water above the site (litres a second, thousandths of a degree) and what may be done to it."""

    name: str
    flow: Series
    temperature: Series
    permit: Permit

    def above(self, instant: int) -> Water:
        """Return the stream above the site at an instant."""
        return Water(max(0, self.flow.at(instant)), self.temperature.at(instant))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """`[site.heat]`: how heat leaves for the quarter, and what the quarter wants, in milliwatt."""

    export: HeatExport
    demand: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A site's power, water and heat as its site file says. Without a stream all heat goes to the chillers."""

    connection: Connection
    stream: Stream | None = None
    quarter: Quarter | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """The state of a site under a load of its racks."""

    it_mw: int
    losses_mw: int
    cooling: CoolingLoad
    heat: HeatFlow | None
    water: Water | None
    limits: Limits | None
    stream_allowed_mw: int
    grid_allowed_mw: int
    air_mc: int

    @property
    def cooling_mw(self) -> int:
        """Return what pumps, chillers and the heat pump draw."""
        return self.cooling.electricity_mw + (self.heat.electricity_mw if self.heat is not None else 0)

    @property
    def total_mw(self) -> int:
        """Return what the site draws from the grid."""
        return self.it_mw + self.losses_mw + self.cooling_mw

    @property
    def rise_mk(self) -> int:
        """Return by how much the stream is warmed."""
        if self.water is None or self.cooling.stream_mw == 0:
            return 0
        return rise_mk(self.cooling.stream_mw, self.water.flow_litres_s)

    @property
    def is_allowed(self) -> bool:
        """Return whether grid and cooling carry the load."""
        return self.total_mw <= self.grid_allowed_mw and self.cooling.excess_mw == 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plant finds around it at an instant: air, water, the limits of the season, what the quarter wants."""

    air_mc: int
    water: Water | None
    limits: Limits | None
    demand_mw: int


def surroundings_at(plant: Plant, instant: int) -> Surroundings:
    """Return what is around a plant at an instant."""
    return Surroundings(
        air_mc=plant.connection.air.at(instant),
        water=plant.stream.above(instant) if plant.stream is not None else None,
        limits=plant.stream.permit.at(instant) if plant.stream is not None else None,
        demand_mw=plant.quarter.demand.at(instant) if plant.quarter is not None else 0,
    )


def operate(plant: Plant, it_mw: int, instant: int) -> Operation:
    """Return how a site runs at an instant while its racks draw so much."""
    return operate_in(plant, it_mw, surroundings_at(plant, instant))


def operate_in(plant: Plant, it_mw: int, around: Surroundings) -> Operation:
    """Return how a site runs in given surroundings.

    All that the racks and the supply draw becomes heat; what the quarter takes is not the stream's.
    """
    connection, water, limits = plant.connection, around.water, around.limits
    losses = connection.supply.losses_mw(it_mw)
    heat_mw = it_mw + losses
    flow = plant.quarter.export.flow(heat_mw, around.demand_mw) if plant.quarter is not None else None
    left = heat_mw - (flow.taken_mw if flow is not None else 0)
    allowed = heat_allowed_mw(water, limits) if water is not None and limits is not None else 0
    return Operation(
        it_mw=it_mw,
        losses_mw=losses,
        cooling=connection.cooling.split(left, allowed),
        heat=flow,
        water=water,
        limits=limits,
        stream_allowed_mw=allowed,
        grid_allowed_mw=connection.grid_mw * connection.derating.permille(around.air_mc) // 1000,
        air_mc=around.air_mc,
    )


@dataclass(frozen=True, slots=True)
class Allowed:
    """How much racks may draw, and what stands in the way of more."""

    it_mw: int
    cause: CapCause


def allowed_at(plant: Plant, instant: int) -> Allowed:
    """Return the largest load of the racks that grid and cooling carry at an instant, by bisection.

    Nobody has to take the heat: the permit must hold without the quarter, the connection also with its heat pump.
    """
    around = surroundings_at(plant, instant)
    most = _largest(lambda it_mw: _carries(plant, it_mw, around), plant.connection.grid_mw)
    beyond = operate_in(replace(plant, quarter=None), most + 1, around)
    if beyond.cooling.excess_mw > 0:
        return Allowed(most, CapCause.STREAM)
    return Allowed(most, CapCause.HOT_DAY if beyond.grid_allowed_mw < plant.connection.grid_mw else CapCause.GRID)


def _carries(plant: Plant, it_mw: int, around: Surroundings) -> bool:
    """Return whether grid and cooling carry a load of the racks, whether or not the quarter takes heat."""
    if not operate_in(replace(plant, quarter=None), it_mw, around).is_allowed:
        return False
    with_quarter = operate_in(plant, it_mw, around) if plant.quarter is not None else None
    return with_quarter is None or with_quarter.total_mw <= with_quarter.grid_allowed_mw


def allowed_within(plant: Plant, start: int, end: int) -> Allowed:
    """Return the least that is allowed between two instants.

    Work needs time to save itself: whoever looks ahead has it stopped before the limit falls.
    """
    return min((allowed_at(plant, instant) for instant in _turns(plant, start, end)), key=lambda one: one.it_mw)


def carried_from(plant: Plant, it_mw: int, after: int, latest: int) -> int | None:
    """Return the first full hour from which a plant carries a load again, as its series foresee it, for an hour at least.

    It comes after one instant and is no later than another; None where there is none.
    """
    for begin in range(after - after % HOUR_MS + HOUR_MS, latest + 1, HOUR_MS):
        if all(_carries(plant, it_mw, surroundings_at(plant, instant)) for instant in _turns(plant, begin, begin + HOUR_MS - 1)):
            return begin
    return None


def _turns(plant: Plant, start: int, end: int) -> Sequence[int]:
    """Return both instants and the breaks of a plant's series between them: what it carries is least at one of these."""
    known = [plant.connection.air]
    if plant.stream is not None:
        known += [plant.stream.flow, plant.stream.temperature]
    if plant.quarter is not None:
        known.append(plant.quarter.demand)
    breaks = {at for series in known for at in series.breaks(start, end)}
    if (turn := month_end(start)) < end:  # another season, perhaps
        breaks |= {turn - 1, turn}
    return sorted({start, end, *breaks})


def allowed_for_grid(plant: Plant, draw_mw: int, instant: int) -> int:
    """Return the largest load of the racks with which the whole site draws at most `draw_mw`."""
    around = surroundings_at(plant, instant)
    return _largest(lambda it_mw: operate_in(plant, it_mw, around).total_mw <= draw_mw, max(0, draw_mw))


def _largest(is_allowed: Callable[[int], bool], most: int) -> int:
    """Return the largest load up to `most` that is allowed, 0 where none is: what a load allows, a smaller one does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if is_allowed(middle):
            low = middle
        else:
            high = middle - 1
    return low
