"""One event of the log as it is stored: its canonical bytes and the hash of its leaf."""

from typing import NamedTuple


class SealedEvent(NamedTuple):
    """An event that can no longer change.

    `seq` is its place in the log and the index of its leaf, from 0; `at_ms` its instant, UTC milliseconds;
    `version` that of its kind's schema; `data` the canonical JSON that is the leaf's data, `leaf` the leaf's hash.
    A named tuple, because it is made in a quarter of a frozen dataclass's time and is a database row as it stands.
    """

    seq: int
    at_ms: int
    kind: str
    version: int
    data: bytes
    leaf: bytes
