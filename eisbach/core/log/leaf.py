"""Hashes of the log's leaves and nodes (RFC 9162 section 2.1.1)."""

from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The 32-byte hash of a leaf: SHA-256(0x00 || data). The prefix keeps a leaf from passing as a node."""
    return sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node over two child hashes: SHA-256(0x01 || left || right)."""
    return sha256(NODE_PREFIX + left + right).digest()
