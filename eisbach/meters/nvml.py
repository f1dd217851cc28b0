"""Energy counters of NVIDIA GPUs: millijoule since the driver was loaded (nvmlDeviceGetTotalEnergyConsumption, Volta and later).

They do not wrap. A counter that is lower than before was reset with its driver; then the interval is modelled.
"""

from collections.abc import Sequence
from typing import Any

import pynvml

from eisbach.core.metering.counter import Counted
from eisbach.ports.meter import Channel, Part

MOST_MW = 2_000_000
"""No card draws more than this."""


class NvmlMeter:
    """The GPUs of this machine. `library` is pynvml, or in tests something that answers like it."""

    def __init__(self, library: Any = pynvml) -> None:
        self._library = library
        self._said = "GPUs: not read yet"

    def read(self) -> Sequence[Channel]:
        """Return the counters of all GPUs, none where one of them cannot be read."""
        library = self._library
        try:
            library.nvmlInit()
        except library.NVMLError as error:
            self._said = f"GPUs: no driver answers ({error})"
            return ()
        try:
            count = library.nvmlDeviceGetCount()
            channels = [self._channel(library.nvmlDeviceGetHandleByIndex(index)) for index in range(count)]
        except library.NVMLError as error:
            self._said = f"GPUs: an energy counter cannot be read ({error}); they are modelled"
            return ()
        finally:
            library.nvmlShutdown()
        self._said = f"GPUs: {count} counters"
        return channels

    def says(self) -> str:
        """Return what the last reading found."""
        return self._said

    def _channel(self, handle: Any) -> Channel:
        name = self._library.nvmlDeviceGetUUID(handle)
        name = name.decode() if isinstance(name, bytes) else name
        energy_mj = int(self._library.nvmlDeviceGetTotalEnergyConsumption(handle))
        return Channel(
            name=f"nvml/{name}",
            part=Part.ACCELERATORS,
            counted=Counted(energy_mj, name),
            most_mw=MOST_MW,
            watched_since_ms=0,
        )
