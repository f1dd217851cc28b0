"""An option of a quote: the value that a quote answers with (core/booking/quote.py) and a booking is made of."""

from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """What an option is the best at."""

    EARLIEST = "earliest"
    CHEAPEST = "cheapest"
    LEAST_CARBON = "least-carbon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to get the capacity: named nodes for a window, its whole price in micro-euro, energy and carbon as modelled."""

    site: str
    flavour: str
    nodes: tuple[str, ...]
    level: str
    domain: str
    from_ms: int
    until_ms: int
    price: int
    energy_wh: int
    carbon_g: int | None
    marks: tuple[Mark, ...] = ()
