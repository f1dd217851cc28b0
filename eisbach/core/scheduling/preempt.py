"""Who gives way: the least work lost first, spot before work above a quota, nobody in vain.

Three reasons: the power of a site is above its cap, the first job that has to wait needs what spot holds, or it needs what
somebody holds above his quota. Nobody gives way whose attempt has run for less than the policy's minimum, but to a cap on power: work that is thrown
back before it did anything only costs (KAI's `preemptMinRuntime` and `reclaimMinRuntime` have the same role).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.topology import Level, domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.scheduling.power import PowerRoom, work_mw
from eisbach.core.scheduling.victims import Amounts, least_cost, tasks_in


class Right(IntEnum):
    """The right to stay, and to take from whoever has less; the lowest gives way first."""

    SPOT = 0
    ABOVE_QUOTA = 1
    ON_DEMAND = 2
    RESERVED = 3


class Running(NamedTuple):
    """Work that holds shares: its right to them, what would be lost of it, and whether it is leaving or has run too shortly."""

    job: str
    right: int
    lost: int
    shares: tuple[Share, ...]
    is_leaving: bool
    is_fresh: bool = False

    @property
    def order(self) -> tuple[int, int, str]:
        """Return what work gives way by, the first one first."""
        return (self.right, self.lost, self.job)


class Ask(NamedTuple):
    """What a waiting job asks for: one of its shapes, how many, where, how near to one another, until when, on which nodes."""

    shape: NodeShape
    nodes: int
    where: Where = ANYWHERE
    within: Within | None = None
    ends_by: int | None = None
    among: frozenset[str] | None = None


def work_lost(held_ms: int, shares: Iterable[Share]) -> int:
    """Return how much work an attempt loses that is stopped now: milliseconds x thousandths of a GPU, or of a core without any.

    `held_ms` counts from its start, or from the last checkpoint that somebody knows of.
    """
    size = cores = 0
    for share in shares:
        size += len(share.gpus) * share.gpu_milli
        cores += share.cpu_milli
    return held_ms * (size or cores)


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
    fleet: Fleet,
    room: PowerRoom,
    running: Sequence[Running],
    right: int,
    fits: Callable[[], bool],
    asks: Sequence[Ask] = (),
) -> list[Running] | None:
    """Return who gives way so that a waiting job with this right fits: nobody where it will when those who leave are gone.

    None where it does not fit even so. It does not fit now: the caller has looked. `fits` looks at the fleet and at the power as they
    stand, `asks` are its alternatives; fleet and power are as before when this returns.
    """
    leaving = [one for one in running if one.is_leaving]
    below = sorted(
        (one for one in running if not one.is_leaving and not one.is_fresh and one.right < right), key=lambda one: one.order
    )
    _give_back(fleet, room, leaving)
    chosen: list[Running] | None = []
    if not leaving or not fits():
        chosen = cheapest(fleet, below, asks)
        if chosen is None or not _suffices(fleet, room, chosen, fits):
            enough = _enough(fleet, room, below, fits)
            chosen = _needed(fleet, room, below[:enough], fits) if enough is not None else None
            _take(fleet, room, chosen or ())
    _take(fleet, room, leaving)
    return chosen


def cheapest(fleet: Fleet, below: Sequence[Running], asks: Sequence[Ask]) -> list[Running] | None:
    """Return who gives way at the least lost work so that one of these fits; None where whole GPUs and free power do not tell.

    Work of a higher right gives way only where all of the lower ones would not do. Parts of a GPU are not counted as free
    before nobody holds any of it, and power is not asked: the caller looks whether it fits in the end.
    """
    for most in sorted({one.right for one in below}):
        candidates = [one for one in below if one.right <= most]
        weights = [one.lost for one in candidates]
        if most > Right.SPOT:
            # whoever has less right to stay goes first, whatever is lost of it
            above = 1 + sum(one.lost for one in candidates if one.right < most)
            weights = [one.lost + above * (one.right == most) for one in candidates]
        best: tuple[int, list[int]] | None = None
        for ask in asks:
            if ask.shape.gpu_milli == WHOLE and not ask.shape.mig:
                found = _for_one(fleet, candidates, weights, ask, best[0] if best is not None else None)
                best = found or best
        if best is not None:
            return [candidates[number] for number in best[1]]
    return None


class _Domain:
    """Where a gang may be as a whole: what is free at the places that somebody could leave, and how much fits there now."""

    __slots__ = ("fitting", "free", "held", "numbers")

    def __init__(self, fitting: int) -> None:
        self.fitting = fitting
        self.free: list[Amounts] = []
        self.numbers: list[int] = []
        self.held: list[list[tuple[int, int, int, int]]] = []


def _for_one(
    fleet: Fleet, candidates: Sequence[Running], weights: Sequence[int], ask: Ask, below: int | None
) -> tuple[int, list[int]] | None:
    need = (ask.shape.cpu_milli, ask.shape.memory_mib, ask.shape.gpus)
    best: tuple[int, list[int]] | None = None
    for domain in _by_domain(fleet, candidates, ask):
        missing = ask.nodes - domain.fitting
        if missing <= 0:
            continue
        costs = [weights[number] for number in domain.numbers]
        found = least_cost(domain.free, costs, domain.held, need, missing, below)
        if found is not None:
            below, best = found[0], (found[0], [domain.numbers[number] for number in found[1]])
    return best


def _by_domain(fleet: Fleet, candidates: Sequence[Running], ask: Ask) -> Iterable[_Domain]:
    """Return the domains that somebody could make room in, with what is free there and who holds what."""
    level = ask.within.level if ask.within is not None and ask.within.is_required else None
    fitting = _fitting_now(fleet, ask, level)
    domains: dict[str, _Domain] = {}
    seats: dict[str, tuple[_Domain, int] | None] = {}
    flavours: dict[str, bool] = {}
    for number, one in enumerate(candidates):
        for share in _once_each(one.shares):
            name = share.node
            if name not in seats:
                node = fleet.nodes[name]
                seats[name] = None
                if _is_open(node, ask, flavours):
                    together = node.site if level is None else domain_of(node, level)
                    domain = domains.get(together)
                    if domain is None:
                        domain = domains[together] = _Domain(fitting.get(together, 0))
                    seats[name] = (domain, len(domain.free))
                    domain.free.append((node.free_cpu_milli, node.free_memory_mib, node.free_mask.bit_count()))
            seat = seats[name]
            if seat is None:
                continue
            domain, place = seat
            if not domain.numbers or domain.numbers[-1] != number:
                domain.numbers.append(number)
                domain.held.append([])
            whole = len(share.gpus) if share.gpu_milli == WHOLE and not share.mig else 0
            domain.held[-1].append((place, share.cpu_milli, share.memory_mib, whole))
    return domains.values()


def _once_each(shares: Sequence[Share]) -> Sequence[Share]:
    """Return shares with those on one node put together."""
    if len(shares) == 1 or len({share.node for share in shares}) == len(shares):
        return shares
    found: dict[str, Share] = {}
    for share in shares:
        key = share.node
        known = found.get(key)
        if known is not None:
            share = known._replace(
                cpu_milli=known.cpu_milli + share.cpu_milli,
                memory_mib=known.memory_mib + share.memory_mib,
                gpus=known.gpus + share.gpus,
            )
        found[key] = share
    return list(found.values())


def _fitting_now(fleet: Fleet, ask: Ask, level: Level | None) -> dict[str, int]:
    """Return how many tasks fit now, by domain or site."""
    if ask.among is None:
        return fleet.room_by_domain(ask.shape, ask.where, level=level, ends_by=ask.ends_by)
    need = (ask.shape.cpu_milli, ask.shape.memory_mib, ask.shape.gpus)
    found: dict[str, int] = {}
    flavours: dict[str, bool] = {}
    for name in sorted(ask.among):
        node = fleet.nodes[name]
        if _is_open(node, ask, flavours):
            together = node.site if level is None else domain_of(node, level)
            fits = tasks_in(need, node.free_cpu_milli, node.free_memory_mib, node.free_mask.bit_count())
            found[together] = found.get(together, 0) + fits
    return found


def _is_open(node: Node, ask: Ask, flavours: dict[str, bool]) -> bool:
    """Return whether rules, calendar and the ask itself leave this node to the work; `flavours` remembers which will do."""
    if not node.available or node.removed or not ask.where.allows(node) or not ask.where.may_join(node):
        return False
    if ask.among is not None:
        if node.node not in ask.among:
            return False
    elif node.dated_ms is not None and (ask.ends_by is None or ask.ends_by > node.dated_ms):
        return False
    known = flavours.get(node.flavour)
    if known is None:
        wanted = ask.shape.flavour
        known = flavours[node.flavour] = wanted is None or is_flavour(node.flavour, wanted)
    return known


def _suffices(fleet: Fleet, room: PowerRoom, chosen: Sequence[Running], fits: Callable[[], bool]) -> bool:
    _give_back(fleet, room, chosen)
    is_enough = fits()
    _take(fleet, room, chosen)
    return is_enough


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
