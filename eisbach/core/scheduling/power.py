"""What a cap on power reckons with: every node of a site at rest, and all that work holds at its rating.

Nobody knows beforehand how busy work will be, so a cap that must hold counts the most that it may draw (invariant 7).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.power.draw import rating_of_node, reserved_mw


def at_rest_mw(fleet: Fleet, site: str) -> int:
    """Return what the nodes of a site draw without any work; a drained one still does."""
    return sum(rating_of_node(node).idle_mw for node in fleet.nodes.values() if node.site == site and not node.removed)


def work_mw(fleet: Fleet, shares: Iterable[Share]) -> dict[str, int]:
    """Return by site what work that holds these shares may draw above rest."""
    found: dict[str, int] = {}
    for share in shares:
        node = fleet.nodes[share.node]
        drawn = reserved_mw(
            rating_of_node(node),
            cores_permille=-(-share.cpu_milli * 1000 // node.cpu_milli),
            gpus_permille=-(-len(share.gpus) * share.gpu_milli // node.gpus) if node.gpus else 0,
        )
        found[node.site] = found.get(node.site, 0) + drawn
    return found


def reckoned_mw(fleet: Fleet, site: str, held: Iterable[Sequence[Share]]) -> int:
    """Return what a cap reckons with at a site while all this is held."""
    return at_rest_mw(fleet, site) + sum(work_mw(fleet, shares).get(site, 0) for shares in held)


class Holder(Protocol):
    """Whatever holds shares."""

    @property
    def shares(self) -> Sequence[Share]:
        """Return what it holds."""
        ...


class PowerSums:
    """What the nodes of each site draw at rest, and what all held work may draw above that: followed from the first question on.

    Nothing is summed up where no site is capped, and nobody walks over nodes or work again afterwards.
    """

    __slots__ = ("_as_of", "_fleet", "_rest", "_uncapped", "_work", "is_followed")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._uncapped = PowerRoom({}, fleet, self)
        self.is_followed = False
        """whether somebody has asked, and work is summed up; before, nobody need say who holds what"""
        self._work: dict[str, int] = {}
        self._rest: dict[str, int] = {}
        self._as_of = -1

    def take(self, shares: Iterable[Share]) -> None:
        """These shares are held as well."""
        for site, drawn in work_mw(self._fleet, shares).items():
            self._work[site] = self._work.get(site, 0) + drawn

    def give_back(self, shares: Iterable[Share]) -> None:
        """These shares are held no more; their nodes are still what they were when these were taken."""
        for site, drawn in work_mw(self._fleet, shares).items():
            self._work[site] -= drawn

    def room(self, caps: Mapping[str, int], holding: Mapping[str, Holder]) -> "PowerRoom":
        """Return what the racks of each capped site may draw besides what is held."""
        if not caps:
            return self._uncapped
        if not self.is_followed:
            self.is_followed = True
            for job in holding.values():
                self.take(job.shares)
        return PowerRoom(caps, self._fleet, self)

    def rest_mw(self, site: str) -> int:
        """Return what the nodes of a site draw at rest."""
        if self._as_of != self._fleet.changes:
            self._as_of = self._fleet.changes
            self._rest.clear()
        known = self._rest.get(site)
        if known is None:
            known = self._rest[site] = at_rest_mw(self._fleet, site)
        return known

    def work_mw(self, site: str) -> int:
        """Return what all held work may draw there above rest."""
        return self._work.get(site, 0)


class PowerRoom:
    """What the racks of each capped site may still draw, while a plan is made."""

    __slots__ = ("_fleet", "_left", "_most")

    def __init__(self, caps: Mapping[str, int], fleet: Fleet, sums: PowerSums) -> None:
        self._fleet = fleet
        self._most = {site: cap - sums.rest_mw(site) for site, cap in caps.items()}
        self._left = {site: most - sums.work_mw(site) for site, most in self._most.items()}

    def lacks(self, shares: Iterable[Share]) -> frozenset[str]:
        """Return the sites whose cap does not carry these shares as well."""
        if not self._left:
            return frozenset()
        return frozenset(
            site for site, drawn in work_mw(self._fleet, shares).items() if drawn > self._left.get(site, drawn)
        )

    def could_ever(self, shares: Iterable[Share]) -> bool:
        """Return whether the caps carry these shares where nothing else runs."""
        return all(drawn <= self._most.get(site, drawn) for site, drawn in work_mw(self._fleet, shares).items())

    def take(self, shares: Iterable[Share]) -> None:
        """These shares are held as well; more may be held than a cap allows that has just fallen."""
        if self._left:
            for site, drawn in work_mw(self._fleet, shares).items():
                if site in self._left:
                    self._left[site] -= drawn

    def give_back(self, shares: Iterable[Share]) -> None:
        """These shares are held no more."""
        for site, drawn in work_mw(self._fleet, shares).items() if self._left else ():
            if site in self._left:
                self._left[site] += drawn

    def over(self) -> dict[str, int]:
        """Return by how much each site is above its cap, for those that are."""
        return {site: -left for site, left in self._left.items() if left < 0}

    def close(self, sites: Iterable[str]) -> None:
        """Nothing more starts at these sites in this plan: who waits for their power comes before who asks later."""
        for site in sites:
            if site in self._left:
                self._left[site] = min(self._left[site], 0)
