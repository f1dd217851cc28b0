"""Energy counters of processors: Linux' powercap tree (Intel and AMD RAPL), read by whoever may.

Documentation/power/powercap/powercap.rst of the kernel: `energy_uj` counts microjoule and wraps at `max_energy_range_uj`.
Packages and memory are counted; the rest of the machine (boards, disks, fans, supplies) is not in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eisbach.core.metering.counter import Counted
from eisbach.ports.meter import Channel, Part

POWERCAP = Path("/sys/class/powercap")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MOST_MW = 1_000_000
"""No package or memory of one socket draws more than this: it says after how long a counter may have wrapped twice."""
COUNTED = ("package", "dram")
"""Zones whose name begins so; others (core, uncore, psys) are contained in these or contain them."""


@dataclass(slots=True)
class _Seen:
    raw_mj: int
    total_mj: int
    at_ms: int
    since_ms: int


class RaplMeter:
    """Processors and memory of this machine. `now` is the clock that instants of channels are told in."""

    def __init__(self, now: Callable[[], int], root: Path = POWERCAP, boot_id: Path = BOOT_ID) -> None:
        self._now, self._root = now, root
        self._origin = boot_id.read_text().strip() if boot_id.exists() else ""
        self._seen: dict[str, _Seen] = {}
        self._said = "processors: not read yet"

    def read(self) -> Sequence[Channel]:
        """Return the counters of all packages and memories, none where one of them may not be read."""
        zones = [zone for zone in self._zones() if self._name(zone).startswith(COUNTED)]
        if not zones:
            self._said = f"processors: no energy counters below {self._root}; they are modelled"
            return ()
        try:
            channels = [self._channel(zone) for zone in zones]
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._said = f"processors: {zones[0].name}/energy_uj cannot be read ({why}); they are modelled"
            return ()
        self._said = f"processors: {len(channels)} counters (packages and memory; not boards, disks, fans, supplies)"
        return channels

    def says(self) -> str:
        """Return what the last reading found."""
        return self._said

    def _zones(self) -> Sequence[Path]:
        return sorted(zone for zone in self._root.glob("*-rapl:*") if (zone / "energy_uj").exists())

    def _name(self, zone: Path) -> str:
        try:
            return (zone / "name").read_text().strip()
        except OSError:
            return ""

    def _channel(self, zone: Path) -> Channel:
        now, raw = self._now(), int((zone / "energy_uj").read_text()) // 1000
        wraps_at = int((zone / "max_energy_range_uj").read_text()) // 1000
        seen = self._seen.get(zone.name)
        if seen is None or (now - seen.at_ms) * MOST_MW >= wraps_at * 1000:
            seen = _Seen(raw, raw, now, now)
        else:
            seen = _Seen(raw, seen.total_mj + (raw - seen.raw_mj) % wraps_at, now, seen.since_ms)
        self._seen[zone.name] = seen
        return Channel(
            name=f"rapl/{zone.name}",
            part=Part.HOSTS,
            counted=Counted(seen.total_mj, self._origin, wraps_at),
            most_mw=MOST_MW,
            watched_since_ms=seen.since_ms,
        )
