"""All counters of one machine, read together."""

from collections.abc import Sequence

from eisbach.ports.meter import Channel, Meter


class MachineMeter:
    """Several meters as one."""

    def __init__(self, *meters: Meter) -> None:
        self._meters = meters

    def read(self) -> Sequence[Channel]:
        """Return the counters of all of them."""
        return [channel for meter in self._meters for channel in meter.read()]

    def says(self) -> str:
        """Return what each of them says."""
        return "; ".join(meter.says() for meter in self._meters)
