"""Vacancies: the idle nodes of a pool, counted for each domain, so that a gang finds the tightest one that holds it.

A count is kept for each domain of each tier, and for each count the set of domains that have it, as a bit mask: the tightest
domain for n nodes is the lowest bit of the lowest count from n on. Nothing here walks over nodes. Leaves are counted at once, the
tiers above them when somebody asks: most work takes a single node, and what comes and goes meanwhile need not be counted.
"""

from collections.abc import Iterable, Iterator

from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.topology import Tree

Pick = list[tuple[int, int]]
"""Leaves with the bits of the nodes that are picked there."""


class Vacancies:
    """Idle nodes of one pool: `masks` are their bits by leaf, `total` is how many they are."""

    __slots__ = ("_at", "_counts", "_filled", "_has_above", "_tree", "_uncounted", "masks", "total")

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.masks: dict[int, int] = {}
        self.total = 0
        tiers = range(tree.tiers)
        self._has_above = tree.tiers > 1
        self._counts: list[dict[int, int]] = [{} for _ in tiers]
        """how many idle nodes each domain of a tier has; of the leaves `masks` says it"""
        self._at: list[dict[int, int]] = [{} for _ in tiers]
        self._filled = [0 for _ in tiers]
        self._uncounted: dict[int, int] = {}
        """leaf -> how many idle nodes it had when the tiers above were counted, for those that changed since"""

    def copy(self) -> "Vacancies":
        """Return the same vacancies, to be changed on their own."""
        self._count_above()
        other = Vacancies(self._tree)
        other.masks, other.total = dict(self.masks), self.total
        other._counts = [dict(counts) for counts in self._counts]
        other._at = [dict(at) for at in self._at]
        other._filled = list(self._filled)
        return other

    def turn(self, leaves: Iterable[tuple[int, int]]) -> None:
        """Nodes, given by their bits in their leaves, all of which were idle, are idle no more; or none of them was, and all are now."""
        masks = self.masks
        for leaf, bits in leaves:
            before = masks.get(leaf, 0)
            after = before ^ bits
            if after:
                masks[leaf] = after
            else:
                del masks[leaf]
            old, new = before.bit_count(), after.bit_count()
            self.total += new - old
            self._move(0, leaf, old, new)
            if self._has_above:
                self._uncounted.setdefault(leaf, old)

    def room(self, tier: int, domain: int) -> int:
        """Return how many idle nodes a domain has."""
        self._count_above()
        if tier == 0:
            return self.masks.get(domain, 0).bit_count()
        return self._counts[tier].get(domain, 0) if tier < len(self._counts) else self.total

    def rooms(self, tier: int) -> Iterator[tuple[int, int]]:
        """Yield the domains of a tier that have idle nodes, with how many, in any order."""
        self._count_above()
        if tier == 0:
            return iter([(leaf, bits.bit_count()) for leaf, bits in self.masks.items()])
        return iter(self._counts[tier].items() if tier < len(self._counts) else ((0, self.total),))

    def tightest(self, count: int) -> int | None:
        """Return the tightest tier one of whose domains holds so many nodes; the number of tiers where only the pool does."""
        if count > self.total:
            return None
        if self._filled[0] >> count:
            return 0
        self._count_above()
        for tier, filled in enumerate(self._filled):
            if filled >> count:
                return tier
        return len(self._filled)

    def pick(self, count: int, tier: int) -> Pick:
        """Return `count` nodes of the fullest domain of a tier that holds them; there is one (see `tightest`)."""
        if tier:
            self._count_above()
        filled = self._filled
        if tier < len(filled):
            above = filled[tier] >> count
            domains = self._at[tier][count + (above & -above).bit_length() - 1]
            return self._fill(tier, (domains & -domains).bit_length() - 1, count)
        return self._spread(tier - 1, -1, count)

    def pick_in(self, tier: int, domain: int, count: int) -> Pick:
        """Return `count` nodes of one domain, which has so many."""
        self._count_above()
        return self._fill(tier, domain, count) if tier < len(self._filled) else self._spread(tier - 1, -1, count)

    def first(self) -> Node:
        """Return the node that is picked where one is asked for."""
        filled = self._filled[0]
        domains = self._at[0][(filled & -filled).bit_length() - 1]
        leaf = (domains & -domains).bit_length() - 1
        mask = self.masks[leaf]
        return self._tree.nodes[self._tree.first[leaf] + (mask & -mask).bit_length() - 1]

    def numbers(self) -> int:
        """Return the mask of the numbers of all idle nodes."""
        first = self._tree.first
        return sum(bits << first[leaf] for leaf, bits in self.masks.items())

    def _fill(self, tier: int, domain: int, count: int) -> Pick:
        if tier:
            return self._spread(tier - 1, self._tree.below[tier - 1][domain], count)
        mask = self.masks[domain]
        if count == 1:
            return [(domain, mask & -mask)]
        return [(domain, mask if mask.bit_count() == count else _low_bits(mask, count))]

    def _spread(self, tier: int, domains: int, count: int) -> Pick:
        """Return `count` nodes of some domains: of the tightest one that holds the rest, before that all of the largest ones."""
        picked: Pick = []
        at, sizes = self._at[tier], self._filled[tier]
        while True:
            size = sizes.bit_length() - 1
            found = at[size] & domains
            while found and size < count:
                low = found & -found
                picked += self._fill(tier, low.bit_length() - 1, size)
                found ^= low
                domains ^= low
                count -= size
            if found:
                return picked + self._fill(tier, self._holding(tier, domains, count), count)
            sizes ^= 1 << size

    def _holding(self, tier: int, domains: int, count: int) -> int:
        """Return the tightest of some domains that holds so many nodes; there is one."""
        at, filled = self._at[tier], self._filled[tier] >> count << count
        while True:
            least = filled & -filled
            found = at[least.bit_length() - 1] & domains
            if found:
                return (found & -found).bit_length() - 1
            filled ^= least

    def _count_above(self) -> None:
        """Count the tiers above the leaves."""
        if self._uncounted:
            masks = self.masks
            for leaf, old in self._uncounted.items():
                change = masks.get(leaf, 0).bit_count() - old
                if change:
                    for tier, domain in enumerate(self._tree.paths[leaf]):
                        if tier:
                            self._change(tier, domain, change)
            self._uncounted.clear()

    def _change(self, tier: int, domain: int, change: int) -> None:
        counts = self._counts[tier]
        old = counts.get(domain, 0)
        new = old + change
        if new:
            counts[domain] = new
        else:
            del counts[domain]
        self._move(tier, domain, old, new)

    def _move(self, tier: int, domain: int, old: int, new: int) -> None:
        """Put a domain among those with another count; none of them is 0."""
        at, bit = self._at[tier], 1 << domain
        if old:
            rest = at[old] ^ bit
            if rest:
                at[old] = rest
            else:
                del at[old]
                self._filled[tier] ^= 1 << old
        if new:
            known = at.get(new, 0)
            if not known:
                self._filled[tier] ^= 1 << new
            at[new] = known | bit


def _low_bits(mask: int, count: int) -> int:
    """Return the lowest `count` bits of a mask that has so many."""
    rest = mask
    for _ in range(count):
        rest &= rest - 1
    return mask ^ rest
