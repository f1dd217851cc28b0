"""The names of accounts: one set for each project and calendar month, one that issues budgets."""

from functools import lru_cache
from typing import Final

ISSUANCE: Final = "issuance"
"""Where budgets come from: its balance is minus all that was granted."""
NAMES_KEPT: Final = 4096
"""Months of projects whose names are not put together anew: the same few are asked for all the time."""


Names = tuple[str, str, str]
"""The accounts of a project's month: available, reserved, charged."""


@lru_cache(maxsize=NAMES_KEPT)
def names_of(project: str, period: str) -> Names:
    """Return the accounts of a project's month, the same text each time: most of what moves money needs all three."""
    return f"{project}/{period}/available", f"{project}/{period}/reserved", f"{project}/{period}/charged"


def available(project: str, period: str) -> str:
    """Return the account of what a project may still spend in a month."""
    return names_of(project, period)[0]


def reserved(project: str, period: str) -> str:
    """Return the account of what is set aside for the caps of a project's jobs."""
    return names_of(project, period)[1]


def charged(project: str, period: str) -> str:
    """Return the account of what a project was charged: the operator's revenue from it."""
    return names_of(project, period)[2]


def may_be_negative(account: str) -> bool:
    """Return whether an account's balance may fall below zero: only where budgets come from, and on credits."""
    return account == ISSUANCE or account.endswith("/charged")
