"""Who gives way: the least work lost first, spot before everything else, nobody in vain.

Two reasons: the power of a site is above its cap, or the first job that has to wait needs what spot holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.scheduling.power import PowerRoom, work_mw


@dataclass(frozen=True, slots=True)
class Running:
    """Work that holds shares: its right to them (higher gives way later), and what would be lost of it."""

    job: str
    right: int
    lost: int
    shares: tuple[Share, ...]
    is_leaving: bool

    @property
    def order(self) -> tuple[int, int, str]:
        """Return what work gives way by, the first one first."""
        return (self.right, self.lost, self.job)


def work_lost(held_ms: int, shares: Iterable[Share]) -> int:
    """Return how much work an attempt loses that is stopped now: milliseconds x GPUs, or x cores where it has no GPU.

    It may have saved since; nobody outside the job knows, so all that it did counts.
    """
    held = list(shares)
    size = sum(len(share.gpus) for share in held) * 1000 or sum(share.cpu_milli for share in held)
    return held_ms * size


def above_caps(fleet: Fleet, running: Sequence[Running], over_mw: Mapping[str, int]) -> list[Running]:
    """Return who gives way so that each site is within its cap again, `over_mw` being by how much each is above it.

    Who is leaving already counts as gone. Where all give way and the site is still above, that is all there is.
    """
    missing = dict(over_mw)
    for one in running:
        if one.is_leaving:
            _subtract(missing, work_mw(fleet, one.shares))
    chosen: list[tuple[Running, dict[str, int]]] = []
    for one in sorted((one for one in running if not one.is_leaving), key=lambda one: one.order):
        if all(mw <= 0 for mw in missing.values()):
            break
        drawn = work_mw(fleet, one.shares)
        if any(missing.get(site, 0) > 0 and mw > 0 for site, mw in drawn.items()):
            _subtract(missing, drawn)
            chosen.append((one, drawn))
    needed: list[Running] = []
    for one, drawn in reversed(chosen):
        # A large one may have made smaller ones before it needless; but none stays while one of a higher right goes.
        is_spared = not any(other.right > one.right for other in needed)
        if is_spared and all(missing[site] + drawn.get(site, 0) <= 0 for site in missing):
            _subtract(missing, {site: -mw for site, mw in drawn.items()})
        else:
            needed.append(one)
    return needed[::-1]


def for_waiting(
    fleet: Fleet, room: PowerRoom, running: Sequence[Running], right: int, fits: Callable[[], bool]
) -> list[Running] | None:
    """Return who gives way so that a waiting job with this right fits: nobody where it will when those who leave are gone.

    None where it does not fit even so. `fits` looks at the fleet and at the power as they stand; both are as before
    when this returns.
    """
    leaving = [one for one in running if one.is_leaving]
    below = sorted((one for one in running if not one.is_leaving and one.right < right), key=lambda one: one.order)
    _give_back(fleet, room, leaving)
    chosen: list[Running] | None = []
    if not fits():
        enough = _enough(fleet, room, below, fits)
        chosen = _needed(fleet, room, below[:enough], fits) if enough is not None else None
        _take(fleet, room, chosen or ())
    _take(fleet, room, leaving)
    return chosen


def _enough(fleet: Fleet, room: PowerRoom, below: Sequence[Running], fits: Callable[[], bool]) -> int | None:
    """Return how many of the first must be gone at least, and have these gone; None, and nobody gone, where all are too few.

    By bisection: what fits when some are gone also fits when more are, so few looks are enough where much spot runs.
    """
    _give_back(fleet, room, below)
    if not below or not fits():
        _take(fleet, room, below)
        return None
    low, high, gone = 1, len(below), len(below)
    while low < high:
        middle = (low + high) // 2
        (_take if middle < gone else _give_back)(fleet, room, below[min(middle, gone) : max(middle, gone)])
        gone = middle
        low, high = (low, middle) if fits() else (middle + 1, high)
    (_take if low < gone else _give_back)(fleet, room, below[min(low, gone) : max(low, gone)])
    return low


def _needed(fleet: Fleet, room: PowerRoom, gone: Sequence[Running], fits: Callable[[], bool]) -> list[Running]:
    """Return who of those that are gone must be, and take the others back: the one with the most to lose first."""
    needed: list[Running] = []
    for one in reversed(gone):
        _take(fleet, room, [one])
        if not fits():
            _give_back(fleet, room, [one])
            needed.append(one)
    return needed[::-1]


def _subtract(missing: dict[str, int], drawn: Mapping[str, int]) -> None:
    for site, mw in drawn.items():
        if site in missing:
            missing[site] -= mw


def _give_back(fleet: Fleet, room: PowerRoom, running: Iterable[Running]) -> None:
    for one in running:
        fleet.give_back(one.shares)
        room.give_back(one.shares)


def _take(fleet: Fleet, room: PowerRoom, running: Iterable[Running]) -> None:
    for one in running:
        fleet.take(one.shares)
        room.take(one.shares)
