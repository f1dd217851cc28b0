"""Ids that sort by time, salts and secrets from the operating system; and a seeded source for tests and the twin."""

import os
import random
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, as in ULIDs
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_SALT_POOL_BYTES: Final = 16 * 256
_NONE_YET: Final = _PAIRS[0] + _PAIRS[0]
COUNTS: Final = 1 << 20
"""Seeded ids of one millisecond: four characters of five bits."""


def _text(value: int, characters: int) -> str:
    """Return the lowest 5 x `characters` bits in Crockford's base 32; `characters` is even."""
    pairs = [_PAIRS[(value >> shift) & 1023] for shift in range(5 * characters - 10, -1, -10)]
    return "".join(pairs)


class SystemIds:
    """48 bits of milliseconds and 80 random bits, as in ULIDs; ids of one millisecond keep ascending."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._tail = 0
        self._pool = b""
        self._head_ms, self._head = -1, ""

    def new(self, prefix: str, at_ms: int) -> str:
        """Return a new id; within one process they ascend strictly."""
        if at_ms <= self._last_ms:
            self._tail += 1 + self._random(4) % 1_000_000
        else:
            self._last_ms = at_ms
            # The highest bit stays free so that counting up within a millisecond cannot overflow.
            self._tail = self._random(10) >> 1
        if self._head_ms != self._last_ms:
            self._head_ms, self._head = self._last_ms, _text(self._last_ms, 10)
        return f"{prefix}_{self._head}{_text(self._tail, 16)}"

    def salt(self) -> bytes:
        """Return 16 unpredictable bytes."""
        if len(self._pool) < 16:
            self._pool = os.urandom(_SALT_POOL_BYTES)
        salt, self._pool = self._pool[:16], self._pool[16:]
        return salt

    def secret(self) -> str:
        """Return 256 unpredictable bits as text."""
        return _text(self._random(33), 52)

    def _random(self, count: int) -> int:
        return int.from_bytes(os.urandom(count), "big")


class SeededIds(SystemIds):
    """The same ids for the same seed: a run can be repeated. Never for a live factory.

    An id is the instant, 60 bits of the seed and a count within the millisecond; what that does not hold goes on in the next one.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self._seeded = _text(self._random(8), 12)
        self._high_ms, self._high = -1, ""
        self._count = 0
        self._salts = random.Random(f"salts of {seed}")  # apart: ids are the same whether a log is kept or not

    def new(self, prefix: str, at_ms: int) -> str:
        """Return a new id; they ascend strictly."""
        if at_ms > self._last_ms:
            self._last_ms, self._count = at_ms, 0
            if at_ms >> 20 != self._high_ms:
                self._high_ms, self._high = at_ms >> 20, _text(at_ms >> 20, 6)
            self._head = f"{self._high}{_PAIRS[at_ms >> 10 & 1023]}{_PAIRS[at_ms & 1023]}{self._seeded}"
            return f"{prefix}_{self._head}{_NONE_YET}"
        self._count = count = self._count + 1
        if count == COUNTS:
            return self.new(prefix, self._last_ms + 1)
        return f"{prefix}_{self._head}{_PAIRS[count >> 10]}{_PAIRS[count & 1023]}"

    def salt(self) -> bytes:
        """Return 16 bytes that follow from the seed."""
        return self._salts.getrandbits(128).to_bytes(16, "little")  # what randbytes returns

    def _random(self, count: int) -> int:
        return int.from_bytes(self._chance.randbytes(count), "big")
