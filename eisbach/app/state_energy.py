"""The part of the factory's state that follows from events about energy, water and heat."""

import msgspec

from eisbach.core.jobs.request import WHOLE


class Held(msgspec.Struct, kw_only=True):
    """What an attempt held of a node until it ended, kept until the site's meter was read after that.

    `cpu_ms` is what its tasks used of the cores there, 0 where nobody measured it; it had `gpu_milli` thousandths of each GPU.
    """

    job: str
    project: str
    site: str
    node: str
    from_ms: int
    running_ms: int | None
    to_ms: int
    cpu_milli: int
    gpus: int
    cpu_ms: int
    gpu_milli: int = WHOLE


class SiteMeter(msgspec.Struct, kw_only=True):
    """Up to which instant a site is metered, and how its counters stood then: channel -> (mJ, since which start).

    `is_new` until there is a first interval: before it, counters have never been read. Of all intervals whose origin is
    known, `known_mj` is what the site drew and `renewable_mj` how much of it was renewable.
    """

    metered_ms: int
    is_new: bool = True
    counters: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    known_mj: int = 0
    renewable_mj: int = 0


class PowerCap(msgspec.Struct, kw_only=True):
    """What the racks of a site may draw at most, why, and until when (0: until it is changed)."""

    racks_mw: int
    cause: str
    until_ms: int = 0


class EnergyState(msgspec.Struct):
    """What decisions about energy, water and heat read. Saved in snapshots as it stands: plain values, no indexes."""

    meters: dict[str, SiteMeter] = msgspec.field(default_factory=dict)
    ended: list[Held] = msgspec.field(default_factory=list)
    caps: dict[str, dict[str, PowerCap]] = msgspec.field(default_factory=dict)
    """site -> source (`plant`, `operator`) -> cap"""

    def lowest_caps(self) -> dict[str, int]:
        """Return what the racks of each capped site may draw: the lowest of its caps."""
        return {site: min(cap.racks_mw for cap in caps.values()) for site, caps in self.caps.items()}
