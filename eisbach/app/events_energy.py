"""Events about energy, water and heat. Amounts are millijoule, milliwatt, milligrams, millilitres, millikelvin."""

from eisbach.app.event_body import Body

JobEnergyTuple = tuple[str, str, int, int, int, int | None, int | None]
"""job, project, its own work, its share of idle, of overhead (mJ); CO2 equivalent by place and by market (mg)"""
CounterTuple = tuple[str, int, str]
"""channel, millijoule, since which start of the counter"""
StreamTuple = tuple[int, int, int, int, int]
"""flow (litres a second), temperature above the site, rise, permitted temperature, permitted rise"""
HeatTuple = tuple[int, int, int]
"""offered, demanded, delivered (mJ)"""


class EnergyMetered(Body, frozen=True):
    """What a site drew over an interval, split so that jobs, idle and overhead are the meter exactly.

    `measured_mj` is the part of `it_mj` that counters measured; `label` says what the whole is. Intervals of a site follow
    one another without holes; `is_gap` marks one in which nobody looked. Losses and cooling are 0 and
    `has_plant` false where the site file describes no plant.
    """

    site: str
    from_ms: int
    to_ms: int
    label: str
    it_mj: int
    measured_mj: int
    losses_mj: int
    cooling_mj: int
    has_plant: bool
    operator_idle_mj: int
    operator_overhead_mj: int
    jobs: tuple[JobEnergyTuple, ...] = ()
    carbon_location_mg: int | None = None
    carbon_market_mg: int | None = None
    renewable_mj: int | None = None
    water_ml: int | None = None
    stream: StreamTuple | None = None
    heat: HeatTuple | None = None
    air_mc: int | None = None
    counters: tuple[CounterTuple, ...] = ()
    is_gap: bool = False


class PowerCapped(Body, frozen=True):
    """The racks of a site may draw at most `racks_mw` from now on (None: the cap is lifted).

    `source` is `plant` (what connection, weather and water allow, as foreseen until `until_ms`, 0: nobody knows) or `operator`
    (a named act, until `until_ms`, 0: until it is lifted). `cause` says what limits. The lower one of the two holds.
    """

    site: str
    source: str
    cause: str
    racks_mw: int | None
    by: str
    until_ms: int = 0


KINDS: dict[str, type[Body]] = {"energy.metered": EnergyMetered, "power.capped": PowerCapped}
