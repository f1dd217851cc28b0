"""The rules of bookings: numbers that stand in the price list, are told with each quote, and are bound by the booking."""

from dataclasses import dataclass
from enum import Enum

from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS


class OnFault(Enum):
    """What the owner of a booking gets for nodes that fail and are not replaced: longer time on the others, or money."""

    EXTEND = "extend"
    """where the calendar is free directly after the end; else CREDIT"""
    CREDIT = "credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRules:
    """Milliseconds and thousandths; docs/bookings.md says each in words.

    A quote binds its prices for `quote_ms`. A window begins at least `lead_ms` after the quote, on a full minute, lasts from
    `shortest_ms` to `longest_ms` and ends within `horizon_ms`. `quote hold` keeps an option for `hold_ms`, at most
    `holds_max` for a project at a time. A booking cancelled `free_before_ms` before its window costs nothing; later,
    `cancel_permille` of what is left of the price. Where nothing of the owner has run `no_show_ms` after the window
    began, the booking is given back at `no_show_permille` of what is left (0 ms: never). Of what spot paid on the booking's nodes,
    `resale_permille` is the owner's. Where a node fails and none takes its place, the booking lasts longer instead, but by
    no more than `extension_permille` of what was left of its window (0: never).
    """

    quote_ms: int = 15 * MINUTE_MS
    lead_ms: int = 5 * MINUTE_MS
    shortest_ms: int = 10 * MINUTE_MS
    longest_ms: int = 366 * DAY_MS
    horizon_ms: int = 731 * DAY_MS
    hold_ms: int = 10 * MINUTE_MS
    holds_max: int = 3
    free_before_ms: int = DAY_MS
    cancel_permille: int = 500
    no_show_ms: int = 4 * HOUR_MS
    no_show_permille: int = 500
    resale_permille: int = 700
    extension_permille: int = 1000


DEFAULT_RULES = BookingRules()
