"""Value added tax: which rate holds when, and how much of it an amount carries."""

from collections.abc import Sequence
from dataclasses import dataclass

from eisbach.core.billing.parties import Treatment

REVERSE_CHARGE_REASON = "Steuerschuldnerschaft des Leistungsempfängers / Reverse charge"
"""What an invoice without VAT to a firm abroad has to say: § 14a (5) UStG; Directive 2006/112/EC, article 226 (11a)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VatRate:
    """The standard rate of a country in thousandths, valid from an instant until the next one of that country begins."""

    country: str
    permille: int
    valid_from_ms: int


@dataclass(frozen=True, slots=True)
class Vat:
    """How an invoice deals with VAT: the category of UNCL 5305 (BT-118), the rate, and why there is none."""

    category: str
    permille: int
    reason: str = ""


def vat_of(treatment: Treatment, rates: Sequence[VatRate], country: str, at_ms: int) -> Vat | None:
    """Return how VAT is dealt with; None where no rate of the seller's country is known for that instant."""
    if treatment is Treatment.REVERSE_CHARGE:
        return Vat("AE", 0, REVERSE_CHARGE_REASON)
    valid = [rate for rate in rates if rate.country == country and rate.valid_from_ms <= at_ms]
    newest = max(valid, key=lambda rate: rate.valid_from_ms, default=None)
    return None if newest is None else Vat("S", newest.permille)


def vat_cents(net_cents: int, permille: int) -> int:
    """Return the VAT of a category: its net amount times the rate, rounded once (EN 16931-1, BR-CO-17)."""
    return half_up(net_cents * permille, 1000)


def half_up(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to a whole number; a half goes away from zero (Python's ROUND_HALF_UP)."""
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size
