"""How long work will run, guessed from what the same user's last two runs left of their limits.

Source: D. Tsafrir, Y. Etsion, D. Feitelson, "Backfilling Using System-Generated Predictions Rather than User Runtime
Estimates", TPDS 18(6), 2007: the mean of a user's last two runs beats his own estimate, and more history adds nothing.
Here each run counts as a part of its limit, because one user's jobs are unlike while his way of choosing limits is not; with
equal limits both are the same. Runs of about the same size are asked first (within a factor of two in nodes), then all.

A prediction orders the queue and dates an estimate. What may be backfilled is decided by the limit, which never changes.
"""

from dataclasses import dataclass, field
from typing import Final

from eisbach.core.vocabulary.quantities import SECOND_MS

USERS_MAX: Final = 20_000
"""Users whose runs are remembered; beyond that, who ran nothing for longest is forgotten, a tenth of all at once."""

_FRACTION: Final = 20
_SIZES: Final = tuple(map(str, range(64)))
_ANY_SIZE: Final = _SIZES[0]

Runs = dict[str, tuple[int, ...]]
"""bits of the count of nodes (0: any size) -> what the last two runs left of their limits, in 2^-20, the older one first"""


@dataclass(slots=True, eq=False, repr=False)
class RunHistory:
    """The last runs of each user: at most two for each size class, of which there are as many as a count of nodes has bits."""

    users: dict[str, Runs] = field(default_factory=dict)
    last_ms: dict[str, int] = field(default_factory=dict)
    """user -> when the last run ended"""

    def predict(self, user: str, nodes: int, limit_ms: int) -> int:
        """Return how long work will run: within its limit, and the limit itself where less than two runs are known."""
        runs = self.users.get(user)
        if runs is None:
            return limit_ms
        parts = runs.get(_SIZES[nodes.bit_length()])
        if parts is None or len(parts) < 2:
            parts = runs[_ANY_SIZE]
            if len(parts) < 2:
                return limit_ms
        expected_ms = limit_ms * (parts[0] + parts[1]) >> (_FRACTION + 1)
        if expected_ms < SECOND_MS:
            expected_ms = SECOND_MS
        return expected_ms if expected_ms < limit_ms else limit_ms

    def note(self, user: str, nodes: int, ran_ms: int, limit_ms: int, at_ms: int) -> None:
        """Work of this size came to its own end: what nobody stopped tells how long the next will run."""
        runs = self.users.get(user)
        if runs is None:
            if len(self.users) >= USERS_MAX:
                self._forget()
            runs = self.users[user] = {_ANY_SIZE: ()}
        part = ((ran_ms if ran_ms < limit_ms else limit_ms) << _FRACTION) // limit_ms
        size = _SIZES[nodes.bit_length()]
        before, of_any_size = runs.get(size), runs[_ANY_SIZE]
        runs[size] = (before[-1], part) if before else (part,)
        runs[_ANY_SIZE] = (of_any_size[-1], part) if of_any_size else (part,)
        self.last_ms[user] = at_ms

    def _forget(self) -> None:
        longest = sorted(self.users, key=lambda user: (self.last_ms[user], user))
        for user in longest[: USERS_MAX // 10]:
            del self.users[user], self.last_ms[user]
