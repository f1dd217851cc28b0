"""Audit bundles: what an operator hands out so that anybody can check parts of the log, or all of it, offline.

The format is described in docs/audit-bundle.md; scripts/verify_bundle.py checks it without any of this code.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from eisbach.core.log.tree import GetNode, consistency_proof

FORMAT = "eisbach-audit-bundle/1"

Json = dict[str, Any]


def bundle_header(
    *,
    origin: str,
    key: str,
    head: str,
    previous_heads: Sequence[str] = (),
    consistency: Sequence[Json] = (),
    leaf_count: int,
    complete: bool = False,
) -> Json:
    """All of a bundle but its leaves: the first line of its JSON-lines form.

    `key` is a verifier key, `head` and `previous_heads` are signed notes, their sizes ascending from at least 1.
    `consistency` links each previous head to the next head (consistency_links). `complete` says that all leaves of the head follow, without proofs.
    """
    return {
        "format": FORMAT,
        "origin": origin,
        "key": key,
        "head": head,
        "previous_heads": list(previous_heads),
        "consistency": list(consistency),
        "complete": complete,
        "leaf_count": leaf_count,
    }


def consistency_links(sizes: Sequence[int], get_node: GetNode) -> list[Json]:
    """The proofs from each head to the next. `sizes` are those of the previous heads and, last, of the head.

    Raises ValueError unless the sizes ascend from at least 1: leave out empty heads and repeated ones.
    """
    if any(size1 >= size2 for size1, size2 in pairwise(sizes)):
        raise ValueError(f"the sizes of the heads in a bundle ascend; these do not: {list(sizes)}")
    return [
        {"from": size1, "to": size2, "proof": [_text(node) for node in consistency_proof(size1, size2, get_node)]}
        for size1, size2 in pairwise(sizes)
    ]


def proven_leaf(index: int, data: bytes, proof: Iterable[bytes]) -> Json:
    """A leaf with its inclusion proof under the bundle's head. Leaves stand in ascending order."""
    return {"index": index, "data": _text(data), "proof": [_text(node) for node in proof]}


def plain_leaf(index: int, data: bytes) -> Json:
    """A leaf of a complete bundle."""
    return {"index": index, "data": _text(data)}


def audit_bundle(header: Json, leaves: Iterable[Json]) -> Json:
    """The bundle as one JSON object. Write header and leaves line by line instead where there are many."""
    return {**header, "leaves": list(leaves)}


def _text(blob: bytes) -> str:
    return b64encode(blob).decode()
