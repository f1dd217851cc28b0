"""A tariff: prices per unit-hour in micro-euro, net, with a version and a validity."""

from collections.abc import Mapping
from dataclasses import dataclass

from eisbach.core.billing.booking_rules import DEFAULT_RULES, BookingRules
from eisbach.core.jobs.request import CapacityClass, NodeShape

ANY_GPU = "*"
"""The entry of `gpu_hour` that prices every accelerator without an entry of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices in micro-euro per hour of one core, one GiB of memory and one GPU by accelerator name (`h200`).

    `label` says what the list is (the shipped one is an example price list). `spot_permille` is the share of the
    price that spot capacity costs, in thousandths. It is valid from `valid_from_ms` until the next version begins, or until
    `valid_until_ms` (not included). `booking` are the rules of bookings that are quoted by it.
    """

    version: str
    label: str
    valid_from_ms: int
    core_hour: int
    memory_gib_hour: int
    gpu_hour: Mapping[str, int]
    spot_permille: int = 1000
    valid_until_ms: int | None = None
    booking: BookingRules = DEFAULT_RULES

    def price(self, shape: NodeShape, nodes: int, capacity_class: CapacityClass) -> int | None:
        """Return the micro-euro an hour that `nodes` of this shape cost, rounded down once; None without a price."""
        gpu_price = 0
        if shape.gpus:
            accelerator = (shape.flavour or "").partition(".")[0]
            listed = self.gpu_hour.get(accelerator, self.gpu_hour.get(ANY_GPU))
            if listed is None:
                return None
            gpu_price = shape.gpus * shape.gpu_milli * listed
        per_node = shape.cpu_milli * self.core_hour * 1024 + shape.memory_mib * self.memory_gib_hour * 1000
        exact = nodes * (per_node + gpu_price * 1_024)
        permille = self.spot_permille if capacity_class is CapacityClass.SPOT else 1000
        return exact * permille // (1_024_000 * 1000)
