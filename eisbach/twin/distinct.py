"""Which texts were seen before, among ten million, in little memory: as they are while they are few, then by 64-bit hashes."""

from array import array
from hashlib import blake2b
from typing import Final

FEW: Final = 100_000
"""Texts that are remembered as they are."""
FIRST_SLOTS: Final = 1 << 18


class Distinct:
    """Remembers more than FEW texts by hashes of 64 bits, 8 to 16 bytes each.

    Two different texts are taken for one with a chance of n²/2^65: once in 350,000 files of ten million rows.
    """

    def __init__(self) -> None:
        self._few: set[str] | None = set()
        self._slots = array("Q")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> bool:
        """Remember a text; return whether it is new."""
        few = self._few
        if few is None:
            return self._add_hash(text)
        if text in few:
            return False
        few.add(text)
        self._count += 1
        if self._count >= FEW:
            self._few, self._count, self._slots = None, 0, array("Q", bytes(8 * FIRST_SLOTS))
            for one in few:
                self._add_hash(one)
        return True

    def _add_hash(self, text: str) -> bool:
        value = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) or 1  # 0 marks an empty slot
        if not _put(self._slots, value):
            return False
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            larger = array("Q", bytes(16 * len(self._slots)))
            for one in self._slots:
                if one:
                    _put(larger, one)
            self._slots = larger
        return True


def _put(slots: "array[int]", value: int) -> bool:
    mask = len(slots) - 1
    index = value & mask
    while (found := slots[index]) and found != value:
        index = (index + 1) & mask
    slots[index] = value
    return not found
