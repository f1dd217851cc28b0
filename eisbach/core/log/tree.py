"""The append-only Merkle tree of the log: its frontier, its proofs and how they are checked (RFC 9162 section 2.1).

A node is named by (level, index): level 0 are the leaves, node (l, i) covers the leaves i * 2**l to (i + 1) * 2**l - 1.
A node whose leaves all exist is complete and never changes again; only complete nodes are stored and asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from eisbach.core.log.leaf import EMPTY_ROOT, HASH_BYTES, NODE_PREFIX, node_hash

SIZE_MAX: Final = 2**63 - 1
"""The largest tree size accepted: what a signed 64-bit integer holds, in databases and in other verifiers."""

GetNode = Callable[[int, int], bytes]
"""Returns the 32-byte hash of the complete node (level, index)."""

CompletedNode = tuple[int, int, bytes]
"""Level, index and hash of a node that an append completed."""


class Frontier:
    """The roots of the perfect subtrees that a tree of `size` leaves consists of, largest first.

    This is all that is needed to append and to know the root: at most 63 hashes, one for each 1 bit of the size.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Continue a tree from a stored frontier; an empty tree by default.

        Raises ValueError when the nodes cannot belong to a tree of that size.
        """
        self.size = size
        self.nodes = list(nodes)
        if not 0 <= size <= SIZE_MAX:
            raise ValueError(f"a tree has between 0 and {SIZE_MAX} leaves, not {size}")
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"the frontier of {size} leaves has {size.bit_count()} nodes, not {len(self.nodes)}")
        if any(len(node) != HASH_BYTES for node in self.nodes):
            raise ValueError(f"each node of a frontier has {HASH_BYTES} bytes")

    def append(self, leaf: bytes) -> list[CompletedNode]:
        """Add the hash of the next leaf; returns every node it completed, the leaf itself first, then upwards.

        Amortised two nodes a leaf. Raises ValueError when the hash is not 32 bytes long.
        """
        if len(leaf) != HASH_BYTES:
            raise ValueError(f"a leaf's hash has {HASH_BYTES} bytes, not {len(leaf)}")
        index = self.size
        nodes = self.nodes
        completed = [(0, index, leaf)]
        level = 0
        node = leaf
        self.size = index + 1
        while index & 1:
            node = sha256(NODE_PREFIX + nodes.pop() + node).digest()  # node_hash, without the call
            index >>= 1
            level += 1
            completed.append((level, index, node))
        nodes.append(node)
        return completed

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the hashes of the next leaves, in their order, where nobody asks for the nodes they complete: level by level.

        Raises ValueError, and adds none, when a hash is not 32 bytes long.
        """
        nodes = list(leaves)
        if set(map(len, nodes)) - {HASH_BYTES}:
            raise ValueError(f"a leaf's hash has {HASH_BYTES} bytes")
        index, self.size = self.size, self.size + len(nodes)
        left: list[bytes] = []
        while nodes:
            if index & 1:
                nodes.insert(0, self.nodes.pop())
            if len(nodes) & 1:
                left.append(nodes.pop())
            nodes = [node_hash(*pair) for pair in zip(nodes[::2], nodes[1::2], strict=True)]
            index >>= 1
        self.nodes.extend(reversed(left))

    def root(self) -> bytes:
        """The 32-byte root over all leaves (RFC 9162 section 2.1.1); EMPTY_ROOT without any."""
        return _fold(self.nodes) if self.nodes else EMPTY_ROOT

    def copy(self) -> "Frontier":
        """An independent frontier of the same tree, to try appends that may be dropped."""
        twin = Frontier.__new__(Frontier)
        twin.size = self.size
        twin.nodes = self.nodes.copy()
        return twin


def complete_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """The complete nodes (level, index) that the leaves start to end - 1 split into, largest first.

    `start` is a multiple of a power of two that is at least as large as the range, as everywhere in the tree.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_proof(index: int, size: int, get_node: GetNode) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves, lowest sibling first (RFC 9162 section 2.1.3.1).

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end = 0, size
    siblings = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append(_hash_of_range(middle, end, get_node))
            end = middle
        else:
            siblings.append(_hash_of_range(start, middle, get_node))
            start = middle
    return siblings[::-1]


def consistency_proof(size1: int, size2: int, get_node: GetNode) -> list[bytes]:
    """The proof that the tree of `size2` leaves only appended to that of `size1` (RFC 9162 section 2.1.4.1).

    Empty when the sizes are equal. Raises ValueError unless 0 < size1 <= size2: the empty tree proves nothing.
    """
    if not 0 < size1 <= size2:
        raise ValueError(f"no consistency proof from size {size1} to size {size2}")
    start, end = 0, size2
    hashes = []
    while end != size1:
        middle = start + _split(end - start)
        if size1 <= middle:
            hashes.append(_hash_of_range(middle, end, get_node))
            end = middle
        else:
            hashes.append(_hash_of_range(start, middle, get_node))
            start = middle
    if start > 0:  # otherwise the last node is the old root, which the verifier has
        hashes.append(_hash_of_range(start, end, get_node))
    return hashes[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows the leaf hash at `index` under the root of `size` leaves (RFC 9162 section 2.1.3.2).

    Never raises for a wrong proof: whatever is out of range, too long, too short or no hash is refused.
    """
    if not 0 <= index < size <= SIZE_MAX or not _are_hashes((leaf, root, *proof)):
        return False
    climbed = _climb(index, size - 1, leaf, proof)
    return climbed is not None and climbed[1] == root


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the second tree only appended to the first (RFC 9162 section 2.1.4.2).

    Never raises for a wrong proof. A proof from size 0 is refused: every tree extends the empty one.
    """
    if not 0 < size1 <= size2 <= SIZE_MAX:
        return False
    if size1 == size2:  # compares and hashes nothing; the reference vectors put free text in the place of roots here
        return not proof and root1 == root2
    if not _are_hashes((root1, root2, *proof)):
        return False
    path = [root1, *proof] if size1.bit_count() == 1 else list(proof)
    if not path or not proof:
        return False
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    return _climb(fn, sn, path[0], path[1:]) == (root1, root2)


def _climb(fn: int, sn: int, seed: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots of the old and the new tree that a proof leads to; None when its length does not fit.

    The loop of both verification algorithms of RFC 9162, with its names; inclusion only reads the new root.
    """
    fr = sr = seed
    for sibling in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr = node_hash(sibling, fr)
            sr = node_hash(sibling, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, sibling)
        fn >>= 1
        sn >>= 1
    return (fr, sr) if sn == 0 else None


def _are_hashes(values: Iterable[object]) -> bool:
    return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in values)


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2): where RFC 9162 divides a range."""
    return 1 << ((size - 1).bit_length() - 1)


def _hash_of_range(start: int, end: int, get_node: GetNode) -> bytes:
    return _fold([get_node(level, index) for level, index in complete_nodes(start, end)])


def _fold(nodes: Sequence[bytes]) -> bytes:
    """The hash over adjacent perfect subtrees, largest first."""
    node = nodes[-1]
    for left in nodes[-2::-1]:
        node = node_hash(left, node)
    return node
