"""Transfers: immutable movements of micro-euro from one account to another."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from eisbach.core.ledger import account


class TransferKind(Enum):
    """Why money moved."""

    GRANT = "grant"
    WITHDRAW = "withdraw"
    RESERVE = "reserve"
    SETTLE = "settle"
    CREDIT = "credit"
    VOID = "void"


class Transfer(NamedTuple):
    """`amount` micro-euro (above zero) leave `debit` and reach `credit`."""

    debit: str
    credit: str
    amount: int
    kind: TransferKind


def grant(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that opens or raises a month's budget."""
    return Transfer(account.ISSUANCE, account.available(project, period), amount, TransferKind.GRANT)


def withdraw(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that lowers a month's budget."""
    return Transfer(account.available(project, period), account.ISSUANCE, amount, TransferKind.WITHDRAW)


def reserve(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that sets a job's cap aside."""
    return Transfer(account.available(project, period), account.reserved(project, period), amount, TransferKind.RESERVE)


def settle(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that charges held time against the reservation."""
    return Transfer(account.reserved(project, period), account.charged(project, period), amount, TransferKind.SETTLE)


def credit(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that takes a charge back into the reservation (an attempt that failed through our fault)."""
    return Transfer(account.charged(project, period), account.reserved(project, period), amount, TransferKind.CREDIT)


def void(project: str, period: str, amount: int) -> Transfer:
    """Return the transfer that gives the rest of a reservation back."""
    return Transfer(account.reserved(project, period), account.available(project, period), amount, TransferKind.VOID)


RESERVED_BY = {
    TransferKind.RESERVE.value: 1,
    TransferKind.CREDIT.value: 1,
    TransferKind.SETTLE.value: -1,
    TransferKind.VOID.value: -1,
}
"""kind of a transfer -> whether it adds to what a job has reserved, or takes from it"""


def reserved_by(transfers: Iterable[tuple[str, str, int, str]]) -> int:
    """Return by how much transfers (debit, credit, amount, kind) change what a job has reserved."""
    change = 0
    for _, _, amount, kind in transfers:
        change += amount * RESERVED_BY.get(kind, 0)
    return change
