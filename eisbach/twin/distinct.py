"""Which texts were seen before, among ten million, in little memory: a table of 64-bit hashes."""

from array import array
from hashlib import blake2b

FIRST_SLOTS = 1 << 10


class Distinct:
    """Remembers texts by hashes of 64 bits, 8 to 16 bytes each.

    Two different texts are taken for one with a chance of n²/2^65: once in 350,000 files of ten million rows.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> bool:
        """Remember a text; return whether it is new."""
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
