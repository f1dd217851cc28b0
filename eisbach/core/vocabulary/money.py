"""Micro-euro as integers, and how they are read and written."""

from decimal import Decimal, InvalidOperation
from typing import Final, NewType

MicroEuro = NewType("MicroEuro", int)
"""Millionths of a euro, net of VAT."""

EURO: Final = 1_000_000
BUDGET_EURO_MAX: Final = 10**12
_MICRO: Final = Decimal("0.000001")


def euro_text(amount: int) -> str:
    """Return an exact decimal text such as `12.34` or `0.000417` with at least two decimals and no rounding."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), EURO)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


def parse_euro(text: str) -> MicroEuro:
    """Return the micro-euro of a decimal text such as `25` or `0.50`; raise ValueError with what is wrong."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount in euro; write for example 25 or 0.50") from None
    if not amount.is_finite():
        raise ValueError(f"{text!r} is not an amount in euro; write for example 25 or 0.50")
    if amount.copy_abs() > BUDGET_EURO_MAX:
        raise ValueError(f"{text!r} is larger than any budget can be (1,000,000,000,000 euro)")
    # Compared before it is multiplied: a product is rounded to 28 digits, and a budget never silently is.
    exact = amount.quantize(_MICRO)
    if exact != amount:
        raise ValueError(f"{text!r} has more than six decimals; the smallest unit is 0.000001 euro")
    return MicroEuro(int(exact.scaleb(6)))
