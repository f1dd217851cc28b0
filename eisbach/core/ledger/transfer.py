"""Transfers: immutable movements of micro-euro from one account to another, of a project's month where none is named."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from eisbach.core.ledger.account import ISSUANCE, Names

Transfer = tuple[str, str, int, str]
"""`amount` micro-euro (above zero) leave `debit` and reach `credit`: debit, credit, amount, the kind's word. A plain tuple,
as it stands in an event: several are made for each job."""


class TransferKind(Enum):
    """Why money moved."""

    GRANT = "grant"
    WITHDRAW = "withdraw"
    RESERVE = "reserve"
    SETTLE = "settle"
    CREDIT = "credit"
    VOID = "void"


_GRANT: Final = TransferKind.GRANT.value
_WITHDRAW: Final = TransferKind.WITHDRAW.value
_RESERVE: Final = TransferKind.RESERVE.value
_SETTLE: Final = TransferKind.SETTLE.value
_CREDIT: Final = TransferKind.CREDIT.value
_VOID: Final = TransferKind.VOID.value


def grant(month: Names, amount: int) -> Transfer:
    """Return the transfer that opens or raises a month's budget."""
    return (ISSUANCE, month[0], amount, _GRANT)


def withdraw(month: Names, amount: int) -> Transfer:
    """Return the transfer that lowers a month's budget."""
    return (month[0], ISSUANCE, amount, _WITHDRAW)


def reserve(month: Names, amount: int) -> Transfer:
    """Return the transfer that sets a job's cap aside."""
    available, reserved, _ = month
    return (available, reserved, amount, _RESERVE)


def settle(month: Names, amount: int) -> Transfer:
    """Return the transfer that charges held time against the reservation."""
    _, reserved, charged = month
    return (reserved, charged, amount, _SETTLE)


def credit(month: Names, amount: int) -> Transfer:
    """Return the transfer that takes a charge back into the reservation (an attempt that failed through our fault)."""
    _, reserved, charged = month
    return (charged, reserved, amount, _CREDIT)


def charge(month: Names, amount: int) -> Transfer:
    """Return the transfer that charges an amount, or takes back what is below nothing."""
    return settle(month, amount) if amount >= 0 else credit(month, -amount)


def void(month: Names, amount: int) -> Transfer:
    """Return the transfer that gives the rest of a reservation back."""
    available, reserved, _ = month
    return (reserved, available, amount, _VOID)


RESERVED_BY: Final = {
    _RESERVE: 1,
    _CREDIT: 1,
    _SETTLE: -1,
    _VOID: -1,
}
"""kind of a transfer -> whether it adds to what a job has reserved, or takes from it"""


def reserved_by(transfers: Iterable[Transfer]) -> int:
    """Return by how much transfers (debit, credit, amount, kind) change what a job has reserved."""
    change = 0
    for _, _, amount, kind in transfers:
        change += amount * RESERVED_BY.get(kind, 0)
    return change
