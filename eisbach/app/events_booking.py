"""Events about quotes held, bookings and what becomes of them. Prices are micro-euro for the whole of what they name."""

from eisbach.app.event_body import Body, TransferTuple

OptionTuple = tuple[
    tuple[str, ...], str, str, tuple[str, ...], str, str, int, int, int, int, int | None
]
"""marks, site, flavour, nodes, level and domain that hold them, from, until, price, energy (Wh), carbon (g)"""
StretchTuple = tuple[int, int, int]
"""from, until, price that is due evenly over that time"""

CANCELLED, NO_SHOW, OVER, LOST = "cancelled", "no-show", "over", "lost"
"""Why a booking ends."""


class QuoteGiven(Body, frozen=True):
    """Options with bound prices, for a while: option `n` (from 1) is called `<quote>.<n>`. Nothing is held by it.

    `extends` is the booking that the option makes longer, empty for a new one.
    """

    quote: str
    project: str
    expires_ms: int
    tariff: str
    rules: dict[str, int]
    options: tuple[OptionTuple, ...]
    by: str
    extends: str = ""


class OptionHeld(Body, frozen=True):
    """The nodes of an option are kept for the project until `until_ms`."""

    quote: str
    option: str
    project: str
    until_ms: int
    by: str


class HoldReleased(Body, frozen=True):
    """An option is no longer kept: `expired`, `released` by its project, or `booked`: another option of its quote was."""

    quote: str
    option: str
    project: str
    cause: str


class BookingMade(Body, frozen=True):
    """Nodes are booked for a window, at the rules and the price of the quote. `stretches` add up to the price.

    `on_fault` is what its owner gets for nodes that fail and are not replaced (OnFault).
    """

    booking: str
    project: str
    option: str
    site: str
    simulated: bool
    flavour: str
    nodes: tuple[str, ...]
    level: str
    domain: str
    from_ms: int
    until_ms: int
    stretches: tuple[StretchTuple, ...]
    tariff: str
    rules: dict[str, int]
    energy_wh: int
    carbon_g: int | None
    by: str
    transfers: tuple[TransferTuple, ...] = ()
    on_fault: str = "credit"


class BookingExtended(Body, frozen=True):
    """The window ends later; `stretches` are all of them from now on. It is settled up to `settled_ms`.

    `energy_wh` and `carbon_g` are those of the whole window.
    """

    booking: str
    project: str
    option: str
    until_ms: int
    stretches: tuple[StretchTuple, ...]
    settled_ms: int
    charged: int
    energy_wh: int
    carbon_g: int | None
    by: str
    transfers: tuple[TransferTuple, ...] = ()


class BookingMoved(Body, frozen=True):
    """Nodes that cannot be used were replaced by equal ones; `nodes` are all of the booking's from now on."""

    booking: str
    project: str
    nodes: tuple[str, ...]
    cause: str


class BookingReduced(Body, frozen=True):
    """Nodes that cannot be used were not replaced: the price of the rest falls in proportion, which is the owner's credit.

    Where `until_ms` is not 0 there is no credit: the window ends then, so much later, at the same price. `lost` are all nodes
    that it has lost so far.
    """

    booking: str
    project: str
    nodes: tuple[str, ...]
    lost: tuple[str, ...]
    stretches: tuple[StretchTuple, ...]
    settled_ms: int
    charged: int
    credit: int
    transfers: tuple[TransferTuple, ...] = ()
    until_ms: int = 0


class BookingSettled(Body, frozen=True):
    """A booking was charged up to `settled_ms`; `credited` is the owner's share of what spot paid so far. Both are totals.

    From now on the site's power does not carry `short_permille` thousandths of what is booked there. `relieved` is by how much its
    price fell for that in all, and `stretches`, where there are any, are all of them with that taken off.
    """

    booking: str
    project: str
    settled_ms: int
    charged: int
    credited: int
    transfers: tuple[TransferTuple, ...] = ()
    stretches: tuple[StretchTuple, ...] = ()
    short_permille: int = 0
    relieved: int = 0


class BookingEnded(Body, frozen=True):
    """A booking is over: `over` (its window), `cancelled`, `no-show`, or `lost` (no node was left).

    `charged` is the total, `fee` the part of it for time that nobody used.
    """

    booking: str
    project: str
    cause: str
    charged: int
    fee: int
    by: str
    transfers: tuple[TransferTuple, ...] = ()


class BookingClosed(Body, frozen=True):
    """Whatever ran as spot on its nodes is paid: nothing changes at this booking any more."""

    booking: str
    project: str
    credited: int
    transfers: tuple[TransferTuple, ...] = ()


KINDS: dict[str, type[Body]] = {
    "quote.given": QuoteGiven,
    "quote.held": OptionHeld,
    "quote.released": HoldReleased,
    "booking.made": BookingMade,
    "booking.extended": BookingExtended,
    "booking.moved": BookingMoved,
    "booking.reduced": BookingReduced,
    "booking.settled": BookingSettled,
    "booking.ended": BookingEnded,
    "booking.closed": BookingClosed,
}
