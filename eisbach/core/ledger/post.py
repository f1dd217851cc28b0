"""Posting transfers: the balances that follow, and the rules that no transfer may break."""

from collections.abc import Iterable

from eisbach.core.ledger import account
from eisbach.core.ledger.transfer import Transfer
from eisbach.core.vocabulary.invariant import require


class Ledger:
    """Balances of all accounts in micro-euro; their sum is always zero."""

    __slots__ = ("balances",)

    def __init__(self, balances: dict[str, int] | None = None) -> None:
        self.balances: dict[str, int] = balances if balances is not None else {}

    def balance(self, name: str) -> int:
        """Return an account's balance; 0 for one that nothing was posted to."""
        return self.balances.get(name, 0)

    def post(self, transfers: Iterable[Transfer]) -> None:
        """Post transfers in order; raise BrokenInvariant before anything would be overspent."""
        for transfer in transfers:
            require(transfer.amount > 0, "a transfer moves more than nothing")
            left = self.balance(transfer.debit) - transfer.amount
            require(
                left >= 0 or account.may_be_negative(transfer.debit),
                f"no budget is ever overspent: {transfer.debit} would fall to {left}",
            )
            self.balances[transfer.debit] = left
            self.balances[transfer.credit] = self.balance(transfer.credit) + transfer.amount

    def total(self) -> int:
        """Return the sum of all balances: zero, or the ledger is broken."""
        return sum(self.balances.values())
