"""Topology: the domains in which nodes stand together, level by level."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.within import Level, Within

__all__ = ["SINGLE", "Level", "Tree", "Within", "domain_of"]

_ROOT: Final = -2
_FEW: Final = 1 << 18
"""Masks of leaves that are not larger are looked up."""
SINGLE: Final = -1
"""The tier of a level at which every domain of a pool is a single node."""
# One look-up each: a class of words is asked for a member by a call in Python.
_HALL: Final = Level.HALL
_ROW: Final = Level.ROW
_NVLINK: Final = Level.NVLINK


def domain_of(node: Node, level: Level) -> str:
    """Return the name of the domain in which a node stands, unique in the whole fleet.

    Where nobody named it, the node's next tighter one counts, and in the end the node itself: nodes are never taken to be
    together because nobody said where they are.
    """
    path = f"{node.site}/{node.hall}"
    if level is _HALL and node.hall:
        return path
    path = f"{path}/{node.row}"
    if (level is _HALL or level is _ROW) and node.row:
        return path
    path = f"{path}/{node.rack}"
    if level is not _NVLINK and node.rack:
        return path
    return f"{path}/{node.nvlink}" if node.nvlink else f"{path}//{node.node}"


class Tree:
    """The domains of a pool's nodes, tier by tier from the tightest: numbers in place of names, so that masks can be kept.

    A tier is a level, or several that part the nodes alike; levels at which each node stands alone have the tier SINGLE, those
    at which all stand together the tier `tiers`, which is above all others. The domains of the first tier are leaves: `seats`
    are (leaf, bit) of each node, `first` is the number of each leaf's first node, `paths` the domains that each leaf is in.
    Nodes of one domain have consecutive numbers, and so have its domains of the tier below: `below` are their masks.
    """

    __slots__ = ("above", "below", "first", "names", "nodes", "paths", "seats", "tier_of", "tiers")

    def __init__(self, nodes: Sequence[Node]) -> None:
        in_order, of_level = _side_by_side(nodes)
        self.nodes: tuple[Node, ...] = tuple(in_order)
        self.names = {level: list(dict.fromkeys(of_level[level])) for level in Level}
        self.tier_of: dict[Level, int] = {}
        tiers: list[list[int]] = []
        for level in Level:
            numbers = _numbered(of_level[level])
            domains = numbers[-1] + 1
            if domains == len(numbers) > 1:
                self.tier_of[level] = SINGLE
                continue
            if domains > 1 and (not tiers or numbers != tiers[-1]):
                tiers.append(numbers)
            self.tier_of[level] = len(tiers) - 1 if domains > 1 else _ROOT
        if not tiers:
            tiers.append([0] * len(nodes))
        self.tiers = len(tiers)
        self.tier_of = {level: self.tiers if tier == _ROOT else tier for level, tier in self.tier_of.items()}
        numbers_of = {leaf: number for number, leaf in reversed(list(enumerate(tiers[0])))}
        self.first = [numbers_of[leaf] for leaf in range(tiers[0][-1] + 1)]
        self.seats = tuple((leaf, 1 << number - self.first[leaf]) for number, leaf in enumerate(tiers[0]))
        pairs = list(pairwise(tiers))
        self.above: list[list[int]] = [list(dict(zip(lower, upper, strict=True)).values()) for lower, upper in pairs]
        self.below: list[list[int]] = [_masks(above) for above in self.above]
        self.paths = [self._path(leaf) for leaf in range(len(self.first))]

    def numbers_in(self, leaf: int, bits: int) -> list[int]:
        """Return the numbers of the nodes that these bits of a leaf stand for."""
        first = self.first[leaf]
        return [first + at for at in (_places(bits) if bits < _FEW else _found_places(bits))]

    def _path(self, leaf: int) -> tuple[int, ...]:
        """Return the domains that a leaf is in, tier by tier, itself first."""
        path = [leaf]
        for above in self.above:
            path.append(above[path[-1]])
        return tuple(path)

    def domain_at(self, tier: int, number: int) -> int:
        """Return in which domain of a tier a node stands; of the tier SINGLE its own number."""
        if tier == SINGLE:
            return number
        if tier == self.tiers:
            return 0
        return self.paths[self.seats[number][0]][tier]

    def name(self, level: Level, domain: int) -> str:
        """Return the name of a level's domain, by its number in the level's tier. It is the same in every pool that has a part
        of the domain, however their nodes make tiers of it.
        """
        return self.names[level][domain]

    def mask(self, tier: int, domain: int) -> int:
        """Return the bits of the numbers of a domain's nodes."""
        if tier == SINGLE:
            return 1 << domain
        if tier == self.tiers:
            return -1
        first = last = domain
        for below in reversed(self.below[:tier]):
            first, last = (below[first] & -below[first]).bit_length() - 1, below[last].bit_length() - 1
        end = self.first[last + 1] if last + 1 < len(self.first) else len(self.nodes)
        return (1 << end) - (1 << self.first[first])


def _side_by_side(nodes: Sequence[Node]) -> tuple[list[Node], dict[Level, list[str]]]:
    """Return nodes so that those of one domain stand together, first come first, with their domains of each level."""
    of_level = {level: [domain_of(node, level) for node in nodes] for level in Level}
    ranks = [dict(zip(dict.fromkeys(names), range(len(names)), strict=False)) for names in reversed(of_level.values())]
    keys = [tuple(rank[name] for rank, name in zip(ranks, names, strict=True)) for names in zip(*reversed(of_level.values()), strict=True)]
    order = sorted(range(len(nodes)), key=lambda at: (keys[at], at))
    return [nodes[at] for at in order], {level: [names[at] for at in order] for level, names in of_level.items()}


def _numbered(names: Sequence[str]) -> list[int]:
    """Return the number of each name, counted by first appearance."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]


def _masks(above: Sequence[int]) -> list[int]:
    masks = [0] * (above[-1] + 1)
    for domain, parent in enumerate(above):
        masks[parent] |= 1 << domain
    return masks


def _found_places(bits: int) -> tuple[int, ...]:
    """Return the places of a mask's bits, the lowest first."""
    found: list[int] = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return tuple(found)


@lru_cache(maxsize=8192)
def _places(bits: int) -> tuple[int, ...]:
    """Return the same for masks that come again and again: those of a rack."""
    return _found_places(bits)
