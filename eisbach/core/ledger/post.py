"""Posting transfers: the balances that follow, and the rules that no transfer may break."""

from collections.abc import Iterable

from eisbach.core.ledger import account
from eisbach.core.vocabulary.invariant import BrokenInvariant


class Ledger:
    """Balances of all accounts in micro-euro; their sum is always zero."""

    __slots__ = ("balances",)

    def __init__(self, balances: dict[str, int] | None = None) -> None:
        self.balances: dict[str, int] = balances if balances is not None else {}

    def balance(self, name: str) -> int:
        """Return an account's balance; 0 for one that nothing was posted to."""
        return self.balances.get(name, 0)

    def post(self, transfers: Iterable[tuple[str, str, int, object]]) -> None:
        """Post transfers (debit, credit, amount, kind) in order; raise BrokenInvariant before anything would be overspent."""
        balances = self.balances
        get = balances.get
        for debit, credit, amount, _ in transfers:
            if amount <= 0:
                raise BrokenInvariant("a transfer moves more than nothing")
            left = get(debit, 0) - amount
            if left < 0 and not account.may_be_negative(debit):
                raise BrokenInvariant(f"no budget is ever overspent: {debit} would fall to {left}")
            balances[debit] = left
            balances[credit] = get(credit, 0) + amount

    def total(self) -> int:
        """Return the sum of all balances: zero, or the ledger is broken."""
        return sum(self.balances.values())
