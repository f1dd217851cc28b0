"""Checks an audit bundle (docs/audit-bundle.md) with the log's own modules: signature, history, every leaf."""

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from eisbach.adapters.signing import verify_signature
from eisbach.core.log.bundle import FORMAT
from eisbach.core.log.head import Head, MalformedHead, VerifierKey, WrongSignature, open_head, parse_verifier_key
from eisbach.core.log.leaf import leaf_hash
from eisbach.core.log.tree import Frontier, verify_consistency, verify_inclusion

Json = dict[str, Any]


class BundleWrong(Exception):
    """The bundle does not prove what it says; the message names what does not fit."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a bundle proves."""

    head: Head
    key: VerifierKey
    leaves: int
    is_complete: bool
    earlier_heads: int

    def facts(self) -> Json:
        """Return it as fields of a document."""
        return {
            "origin": self.head.origin,
            "size": self.head.size,
            "root": self.head.root.hex(),
            "key": str(self.key),
            "leaves": self.leaves,
            "is_complete": self.is_complete,
            "earlier_heads": self.earlier_heads,
        }

    def words(self) -> list[str]:
        """Return it as lines for a person."""
        what = "make its root" if self.is_complete else "are under its root"
        return [
            f"VERIFIED: {self.leaves} events, each at its number, {what}",
            f"head     {self.head.size} events, root {self.head.root.hex()}",
            f"history  extends {self.earlier_heads} earlier signed heads",
            f"key      {self.key}",
        ]


def check_bundle(lines: Iterable[bytes], key_text: str | None) -> Verified:
    """Return what a bundle proves; raise BundleWrong. It is one JSON object, or a header and a leaf on each line."""
    try:
        header, leaves = _read(iter(lines))
        key = parse_verifier_key(key_text or header["key"])
        notes = [*header["previous_heads"], header["head"]]
        heads = [open_head(note, key, verify_signature) for note in notes]
        _check_history(header["consistency"], heads)
        count = _check_leaves(header, leaves, heads[-1])
    except (MalformedHead, WrongSignature) as error:
        raise BundleWrong(str(error)) from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BundleWrong(f"this is no audit bundle ({type(error).__name__}: {error})") from error
    return Verified(heads[-1], key, count, bool(header["complete"]), len(heads) - 1)


def _read(lines: Iterator[bytes]) -> tuple[Json, Iterator[Json]]:
    first = next(lines, b"")
    rest: Iterator[Json] = (json.loads(line) for line in lines)
    try:
        header = json.loads(first)
    except ValueError:  # one object on many lines
        header, rest = json.loads(b"".join(chain([first], lines))), iter(())
    if header["format"] != FORMAT:
        raise BundleWrong(f"the format is {header['format']!r}, and this version reads {FORMAT}")
    return header, iter(header["leaves"]) if "leaves" in header else rest


def _check_history(links: list[Json], heads: list[Head]) -> None:
    if len({head.origin for head in heads}) != 1:
        raise BundleWrong("the heads are of different logs")
    if len(links) != len(heads) - 1:
        raise BundleWrong(f"{len(heads)} heads need {len(heads) - 1} consistency proofs, not {len(links)}")
    for link, (old, new) in zip(links, pairwise(heads), strict=True):
        proof = [b64decode(node) for node in link["proof"]]
        fits = (link["from"], link["to"]) == (old.size, new.size)
        if not fits or not verify_consistency(old.size, new.size, old.root, new.root, proof):
            raise BundleWrong(f"the head of size {new.size} does not extend that of size {old.size}")


def _check_leaves(header: Json, leaves: Iterator[Json], head: Head) -> int:
    frontier, count, last = Frontier(), 0, -1
    for leaf in leaves:
        data = b64decode(leaf["data"])
        index = leaf["index"]
        if not last < index < head.size or json.loads(data)["seq"] != index:
            raise BundleWrong(f"event {index} is not at its place or has another number")
        if header["complete"]:
            frontier.append(leaf_hash(data))
        elif not verify_inclusion(index, head.size, leaf_hash(data), [b64decode(n) for n in leaf["proof"]], head.root):
            raise BundleWrong(f"event {index} is not under the head")
        count, last = count + 1, index
    if count != header["leaf_count"]:
        raise BundleWrong(f"the bundle is cut: {count} events of {header['leaf_count']}")
    if header["complete"] and (count != head.size or frontier.root() != head.root):
        raise BundleWrong("the events do not make the head's root: one was changed, left out or put in")
    return count
