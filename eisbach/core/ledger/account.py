"""The names of accounts: one set for each project and calendar month, one that issues budgets."""

from functools import lru_cache
from typing import Final

ISSUANCE: Final = "issuance"
"""Where budgets come from: its balance is minus all that was granted."""
NAMES_KEPT: Final = 4096
"""Names that are not put together anew: the same few are asked for all the time."""


@lru_cache(maxsize=NAMES_KEPT)
def available(project: str, period: str) -> str:
    """Return the account of what a project may still spend in a month."""
    return f"{project}/{period}/available"


@lru_cache(maxsize=NAMES_KEPT)
def reserved(project: str, period: str) -> str:
    """Return the account of what is set aside for the caps of a project's jobs."""
    return f"{project}/{period}/reserved"


@lru_cache(maxsize=NAMES_KEPT)
def charged(project: str, period: str) -> str:
    """Return the account of what a project was charged: the operator's revenue from it."""
    return f"{project}/{period}/charged"


def may_be_negative(account: str) -> bool:
    """Return whether an account's balance may fall below zero: only where budgets come from, and on credits."""
    return account == ISSUANCE or account.endswith("/charged")
