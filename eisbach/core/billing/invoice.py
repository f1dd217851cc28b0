"""An invoice: lines from the ledger's transfers, rounded once, with VAT by category (docs/decisions/0012).

The ledger counts millionths of a euro, an invoice cents. The sum of what is billed is rounded to cents once
(half up); each line gets its whole cents, and the cents that are missing to the sum go to the lines with the largest
remainders. So the lines add up to the sum exactly (EN 16931-1, BR-CO-10), and no line is a cent or more away from what
the ledger says of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from eisbach.core.billing.parties import Buyer, Seller
from eisbach.core.billing.vat import Vat, half_up, vat_cents
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.quantities import DAY_MS

CENT = 10_000
"""Micro-euro in a cent."""
RESOLD = "resold"
LATE = "late"
HOUR_PARTS = 10**8
"""Hours are billed in hundred-millionths: at 10,000 euro an hour their rounding is below a cent by far."""


class DocumentKind(Enum):
    """What a document is: an invoice (UNCL 1001: 380) or a credit note (381)."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit-note"


@dataclass(frozen=True, slots=True)
class Supply:
    """What was supplied: capacity of one kind in one project at one price; charges that were taken back stand apart.

    `price` is micro-euro an hour for the whole of what a job held or a booking has. The class RESOLD is what the owner
    of a booking gets back of what spot paid on its nodes, LATE the credit for a start that came later than promised.
    """

    project: str
    site: str
    flavour: str
    capacity_class: str
    tariff: str
    price: int
    is_taken_back: bool


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer of the ledger and what it paid for: micro-euro, negative where a charge was taken back.

    `job` is whose work it was, and `at_ms` when it was charged.
    """

    supply: Supply
    amount: int
    job: str = ""
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what was supplied, the ledger's exact amount in micro-euro, and the cents that are billed for it.

    `hours` are hundred-millionths of an hour: the amount by the price, so hours times price give the amount again.
    """

    number: int
    supply: Supply
    amount: int
    hours: int
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Net, VAT and gross in cents, and how VAT is dealt with."""

    net_cents: int
    vat_cents: int
    gross_cents: int
    vat: Vat


@dataclass(frozen=True, slots=True)
class Place:
    """A site as an invoice names it; `label` is `simulated` where nothing there is real, else empty."""

    country: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What stands on a document beside figures, kept with it so that it can be made again when everybody has moved."""

    seller: Seller
    buyer: Buyer
    projects: Mapping[str, str]
    places: Mapping[str, Place]
    notes: Sequence[str] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All that a document says. `refers_to` is number and instant of the invoice that a credit note corrects."""

    number: str
    kind: DocumentKind
    organisation: str
    period: str
    issued_ms: int
    due_ms: int
    names: Names
    lines: Sequence[Line]
    totals: Totals
    refers_to: tuple[str, int] | None = None


def due(issued_ms: int, payment_days: int) -> int:
    """Return the instant by which a document is paid."""
    return issued_ms + payment_days * DAY_MS


def lines_of(movements: Iterable[Movement]) -> tuple[DocumentKind, tuple[Line, ...], int]:
    """Return the kind of document that the ledger's movements make, its lines, and its net sum in cents.

    Where more was taken back than charged, it is a credit note, and all signs are turned: documents state what they
    are about as positive sums.
    """
    sums: dict[Supply, int] = {}
    for one in movements:
        sums[one.supply] = sums.get(one.supply, 0) + one.amount
    total = sum(sums.values())
    sign = -1 if total < 0 else 1
    kind = DocumentKind.CREDIT_NOTE if total < 0 else DocumentKind.INVOICE
    supplies = sorted(sums, key=_order)
    cents = allot([sign * sums[supply] for supply in supplies])
    lines = tuple(
        Line(number, supply, sign * sums[supply], _hours(sign * sums[supply], supply.price), share)
        for number, (supply, share) in enumerate(zip(supplies, cents, strict=True), start=1)
    )
    return kind, lines, sum(cents)


def allot(amounts: Sequence[int]) -> list[int]:
    """Return cents for amounts in micro-euro, which add up to the rounded sum of the amounts.

    The method of the largest remainder: each amount is rounded down, the missing cents go to the largest remainders,
    at equal ones to the first. No share is a cent or more away from its amount.
    """
    shares = [amount // CENT for amount in amounts]
    missing = half_up(sum(amounts), CENT) - sum(shares)
    by_remainder = sorted(range(len(amounts)), key=lambda place: -(amounts[place] % CENT))
    for place in by_remainder[:missing]:
        shares[place] += 1
    require(0 <= missing <= len(amounts), "cents are given to lines that have a remainder")
    return shares


def totals_of(net_cents: int, vat: Vat) -> Totals:
    """Return net, VAT and gross of a document with one category of VAT."""
    tax = vat_cents(net_cents, vat.permille)
    return Totals(net_cents=net_cents, vat_cents=tax, gross_cents=net_cents + tax, vat=vat)


def credited(net_cents: int, already: Totals, invoice: Totals) -> Totals:
    """Return the totals of a credit note over `net_cents`, after others over `already` for the same invoice.

    The last one, after which nothing is left, takes the VAT that is left too, so that both end at nothing. None takes
    more than is left, so no VAT is ever negative.
    """
    vat, left = invoice.vat, invoice.vat_cents - already.vat_cents
    is_last = already.net_cents + net_cents == invoice.net_cents
    tax = left if is_last else min(left, vat_cents(net_cents, vat.permille))
    return Totals(net_cents=net_cents, vat_cents=tax, gross_cents=net_cents + tax, vat=vat)


def _hours(amount: int, price: int) -> int:
    return half_up(amount * HOUR_PARTS, price) if price else 0


def _order(supply: Supply) -> tuple[str, bool, str, str, str, str, int]:
    return (
        supply.project,
        supply.is_taken_back,
        supply.site,
        supply.flavour,
        supply.capacity_class,
        supply.tariff,
        supply.price,
    )
