"""What a factory is made of, as its site file says: values that the application compares with the log."""

from typing import TYPE_CHECKING

import msgspec

from eisbach.core.billing.booking_rules import DEFAULT_RULES, BookingRules

if TYPE_CHECKING:
    # With all that is reckoned about power, water and heat: many sites say nothing of it.
    from eisbach.core.metering.indicators import Carbon
    from eisbach.core.power.budget import Connection, Plant, Quarter, Stream
    from eisbach.core.power.series import Series

BY_SITE_FILE = "site-file"
"""On whose word a node is drained that the site file changes or leaves out."""


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A node: one machine's share for work, and where in the site it stands, as far as that is known.

    `nvlink` names the NVLink domain it shares with other nodes; before `from_ms` it is not commissioned yet.
    """

    node: str
    pool: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    hall: str = ""
    row: str = ""
    rack: str = ""
    nvlink: str = ""
    from_ms: int = 0


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What leads from a domain of the topology up to an outer one: a level for all its domains (`rack`), or one by its name.

    `gbit_s` is what each lower domain exchanges over it, each way.
    """

    lower: str
    upper: str
    gbit_s: int
    source: str


class SiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A site: a place with a country and an operator, and its nodes.

    Countries are ISO 3166-1 alpha-2 codes; `parent_country` is that of the operator's ultimate parent, empty
    where that is the operator's own. `power`, `stream`, `heat` and `carbon` are the tables of these names; `grid_carbon` is
    the grid's grams a kWh by the hour, `price` what a booking costs here by the hour, in thousandths of the price list.
    """

    site: str
    country: str
    operator: str
    operator_country: str
    parent_country: str = ""
    nodes: tuple[NodeFacts, ...]
    links: tuple[LinkFacts, ...] = ()
    is_simulated: bool = False
    is_metered: bool = True
    power: "Connection | None" = None
    stream: "Stream | None" = None
    heat: "Quarter | None" = None
    carbon: "Carbon | None" = None
    grid_carbon: "Series | None" = None
    price: "Series | None" = None

    @property
    def plant(self) -> "Plant | None":
        """Return the site's power, water and heat together, None where the site file says nothing of its power."""
        if self.power is None:
            return None
        from eisbach.core.power.budget import Plant

        return Plant(connection=self.power, stream=self.stream, quarter=self.heat)


class TariffFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the prices: micro-euro per unit-hour, and when it holds (None: since ever, until the next begins)."""

    version: str
    label: str
    core_hour: int
    memory_gib_hour: int
    gpu_hour: dict[str, int]
    spot_permille: int
    booking: BookingRules = DEFAULT_RULES
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
