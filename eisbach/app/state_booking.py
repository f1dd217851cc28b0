"""The part of the factory's state that follows from events about quotes held, bookings and what becomes of them."""

import msgspec

from eisbach.core.billing.booking_rules import DEFAULT_RULES, BookingRules, OnFault
from eisbach.core.booking.option import Option
from eisbach.core.booking.settle import Stretch


class Quote(msgspec.Struct, kw_only=True):
    """A quote that has not expired: its options in order, and which bookings came of them.

    `extends` is the booking that its one option makes longer, empty for a new one.
    """

    quote: str
    project: str
    expires_ms: int
    tariff: str
    rules: BookingRules
    options: tuple[Option, ...]
    extends: str = ""
    booked: dict[str, str] = msgspec.field(default_factory=dict)
    """option -> booking"""


class Hold(msgspec.Struct):
    """An option whose nodes are kept for a project until an instant."""

    option: str
    quote: str
    project: str
    until_ms: int


class Booking(msgspec.Struct, kw_only=True):
    """A booking until it is closed.

    `reserved` is what is set aside for it by month, `charged` the total it was charged up to `settled_ms`, `resold`
    what spot paid on its nodes inside its window, `credited` the owner's share of that so far. `used_ms` is when
    the owner's first job ran in it, `ended_ms` when it ended (0: it has not). `energy_wh` and `carbon_g` are modelled.
    `on_fault` is what he gets for nodes that fail and are not replaced, `lost` those nodes, `given` the times after its end
    that he got for them. `short_permille` is which part of what is booked at its site the cap on power does not carry since
    `settled_ms`, `relieved` by how much the price fell for that so far.
    """

    booking: str
    project: str
    option: str
    site: str
    flavour: str
    nodes: tuple[str, ...]
    level: str
    from_ms: int
    until_ms: int
    stretches: tuple[Stretch, ...]
    tariff: str
    rules: BookingRules = DEFAULT_RULES
    settled_ms: int = 0
    charged: int = 0
    credited: int = 0
    resold: int = 0
    reserved: dict[str, int] = msgspec.field(default_factory=dict)
    used_ms: int = 0
    ended_ms: int = 0
    energy_wh: int = 0
    carbon_g: int | None = None
    on_fault: OnFault = OnFault.CREDIT
    lost: tuple[str, ...] = ()
    given: tuple[tuple[int, int], ...] = ()
    short_permille: int = 0
    relieved: int = 0


class BookingState(msgspec.Struct):
    """What decisions about quotes held, bookings and what becomes of them read. Saved in snapshots as it stands: plain values, no indexes."""

    quotes: dict[str, Quote] = msgspec.field(default_factory=dict)
    holds: dict[str, Hold] = msgspec.field(default_factory=dict)
    """option -> the hold on it"""
    bookings: dict[str, Booking] = msgspec.field(default_factory=dict)
    """those that have not ended"""
    closing: dict[str, Booking] = msgspec.field(default_factory=dict)
    """those that have, while spot on their nodes is not settled yet"""
