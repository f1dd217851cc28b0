"""Searching the pools of one site for a gang: the tightest domain for whole nodes, the best node for a part of one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from eisbach.core.capacity.fit import NodeState
from eisbach.core.capacity.pool import NEVER, Pool
from eisbach.core.capacity.ranking import Answer, Ranking
from eisbach.core.capacity.topology import SINGLE, Level, Within
from eisbach.core.capacity.vacancies import Pick, Vacancies
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape

_NOTHING: Final[dict[int, dict[NodeState, int]]] = {}


class Ask(NamedTuple):
    """A gang that looks for a place: its shape, its size, for whom alone its nodes work, how near, and by when it ends."""

    shape: NodeShape
    tasks: int
    tenant: str
    within: Within | None
    ends_by: int

    @property
    def required(self) -> Level | None:
        """Return the level at which one domain must hold it, None where none must."""
        return self.within.level if self.within is not None and self.within.is_required and self.tasks > 1 else None


class Asked:
    """What a gang asks for: shapes, of which any will do, how many nodes, where, and how near to one another.

    Who asks the same again and again keeps it: what counts for it is found once, until nodes come, go or change (`Fleet.reach`).
    """

    __slots__ = ("as_of", "is_counted", "nodes", "offers", "shapes", "where", "within")

    def __init__(self, shapes: tuple[NodeShape, ...], nodes: int, where: Where = ANYWHERE, within: Within | None = None) -> None:
        self.shapes, self.nodes, self.where, self.within = shapes, nodes, where, within
        self.is_counted = within is None or not within.is_required or nodes <= 1
        """whether a count tells if it fits: not where all of it must be in one domain"""
        self.offers: Sequence[tuple[NodeShape, Offer]] = ()
        self.as_of: object = None
        """for which nodes `offers` were found"""


class Offer:
    """The pools of one site whose idle nodes hold a task of some shape, and how that shape fills a node.

    `is_single`: no node of theirs holds two tasks. A task takes all cores or all memory of a node (`needs_all`), or all its GPUs.
    `sole` is the one pool of which one of both is so: often its idle nodes are all that counts.
    """

    __slots__ = ("is_single", "needs_all", "needs_all_gpus", "pools", "site", "sole")

    def __init__(self, site: str, pools: list[Pool], *, is_single: bool, needs_all: bool, needs_all_gpus: bool) -> None:
        self.site, self.pools = site, pools
        self.is_single, self.needs_all, self.needs_all_gpus = is_single, needs_all, needs_all_gpus
        self.sole = pools[0] if len(pools) == 1 and (needs_all or needs_all_gpus) else None

    @property
    def needs_idle(self) -> bool:
        """Return whether nothing but idle nodes holds a task now: where all GPUs are free, nothing else is on a node."""
        if not self.needs_all_gpus:
            return self.needs_all
        pools = self.pools
        return not pools[0].loose if len(pools) == 1 else not any(pool.loose for pool in pools)

    def reach(self, shape: NodeShape, count: int, tenant: str) -> int:
        """Return until when a gang may last that these pools hold now, however far apart: NEVER where they do not."""
        sole = self.sole
        if sole is not None and (self.needs_all or not sole.loose):
            idle = sole.idle
            for date in reversed(sole.dates):
                count -= idle[date].total
                if count <= 0:
                    return date
            return NEVER
        pools, needs_idle = self.pools, self.needs_idle
        rooms: dict[int, int] = {}
        for pool in pools:
            each = pool.each(shape)
            for date, vacancies in pool.idle.items():
                rooms[date] = rooms.get(date, 0) + vacancies.total * each
            for date, states in pool.used.get(tenant, _NOTHING).items() if not needs_idle else ():
                rooms[date] = rooms.get(date, 0) + _room_in(pool, shape, states)
        for date in sorted(rooms, reverse=True):
            count -= rooms[date]
            if count <= 0:
                return date
        return NEVER


def _room_in(pool: Pool, shape: NodeShape, states: Mapping[NodeState, int]) -> int:
    """Return how many tasks the nodes of a pool hold that are in these states, which have their masks."""
    answers, room = pool.answers(shape), 0
    for state, mask in states.items():
        fits = answers.get(state)
        if fits is None:
            fits = pool.fitting(shape, state)
        if fits:
            room += fits * mask.bit_count()
    return room


class Found(NamedTuple):
    """Idle nodes of one pool that are picked for a gang."""

    pool: Pool
    pick: Pick


class Domain(NamedTuple):
    """A domain as one pool knows it: a tier and its number there; for SINGLE the number of a node."""

    tier: int
    number: int


Limits = Mapping[int, Domain]
"""The domain to which a search is limited, by the places in the list of the pools that have a part of it."""


def find_vacant(pools: Sequence[Pool], ask: Ask) -> list[Found] | None:
    """Return idle nodes for a gang of which each node holds one task; None where they are too few or too far apart.

    Of the pools that hold it alone it is the one with the tightest domain; else several of them share it.
    """
    if ask.tasks == 1:
        return _find_single(pools, ask.ends_by)
    best: tuple[int, Pool, Vacancies, int] | None = None
    for pool in pools:
        vacancies = pool.vacant_for(ask.ends_by, ask.tasks) if ask.required is None else pool.vacant(ask.ends_by)
        tier = vacancies.tightest(ask.tasks) if vacancies is not None else None
        if vacancies is None or tier is None or (ask.required is not None and tier > pool.tier_of(ask.required)):
            continue
        if len(pools) == 1:
            return [Found(pool, vacancies.pick(ask.tasks, tier))]
        width = pool.width(tier)
        if best is None or width < best[0]:
            best = (width, pool, vacancies, tier)
    if best is not None:
        _, pool, vacancies, tier = best
        return [Found(pool, vacancies.pick(ask.tasks, tier))]
    return _find_in_several(pools, ask) if len(pools) > 1 else None


def _find_single(pools: Sequence[Pool], ends_by: int) -> list[Found] | None:
    """Return one idle node of the first pool that has any, of those with the soonest date."""
    for pool in pools:
        vacant = pool.first_vacant(ends_by)
        if vacant is not None:
            return [Found(pool, vacant.pick(1, 0))]
    return None


def _find_in_several(pools: Sequence[Pool], ask: Ask) -> list[Found] | None:
    """Return idle nodes of several pools for a gang that none of them holds alone: all of the first ones, the rest of the last."""
    limits = None
    if ask.required is not None:
        limits = tightest_domain(pools, ask, ask.required, only_idle=True)
        if limits is None:
            return None
    elif sum(pool.vacant_count(ask.ends_by) for pool in pools) < ask.tasks:
        return None
    found: list[Found] = []
    missing = ask.tasks
    for order, pool in enumerate(pools):
        vacancies = pool.vacant(ask.ends_by) if limits is None or order in limits else None
        if vacancies is None or not missing:
            continue
        if limits is None:
            count = min(missing, vacancies.total)
            found.append(Found(pool, vacancies.pick(count, vacancies.tightest(count) or 0)))
        else:
            count = min(missing, _vacant_in(pool, vacancies, limits[order]))
            if count:
                found.append(Found(pool, _pick_in(pool, vacancies, limits[order], count)))
        missing -= count
    return found


def find_one(
    pools: Sequence[Pool], ask: Ask, ranking: Ranking, limits: Limits | None = None
) -> tuple[Pool, int, int] | None:
    """Return the pool, the number of the node and the GPU (by what is left of it) that a single task takes, or None.

    It is the node that the ranking likes best; of equals a used one before an idle one, the soonest date, the lowest number.
    """
    shape, ends_by = ask.shape, ask.ends_by
    least: int | None = None
    equals: list[_Candidate] = []
    for order, pool in enumerate(pools):
        if limits is not None and order not in limits:
            continue
        kind, answers = pool.kind, ranking.answers(pool.kind, shape)
        allowed = -1 if limits is None else pool.tree.mask(*limits[order])
        for date, states in pool.used.get(ask.tenant, _NOTHING).items():
            if date < ends_by:
                continue
            for state, mask in states.items():
                answer = answers.get(state, _UNKNOWN)
                if answer is _UNKNOWN:
                    answer = ranking.answer(kind, shape, state)
                if answer is None or (least is not None and answer[0] > least) or not mask & allowed:
                    continue
                if answer[0] != least:
                    least = answer[0]
                    equals.clear()
                equals.append((False, date, order, mask & allowed))
        answer = answers.get(pool.idle_state, _UNKNOWN)
        if answer is _UNKNOWN:
            answer = ranking.answer(kind, shape, pool.idle_state)
        if answer is None or (least is not None and answer[0] > least):
            continue
        for date in pool.dates:
            if date < ends_by or (limits is not None and not _vacant_in(pool, pool.idle[date], limits[order])):
                continue
            if answer[0] != least:
                least = answer[0]
                equals.clear()
            equals.append((True, date, order, 0))
    return _choose(pools, ask, ranking, limits, equals) if equals else None


_Candidate = tuple[bool, int, int, int]
"""Whether idle, the date, the place of the pool in the list, and the mask of the nodes where they are not idle."""


def _choose(
    pools: Sequence[Pool], ask: Ask, ranking: Ranking, limits: Limits | None, equals: list[_Candidate]
) -> tuple[Pool, int, int]:
    """Return which of equally good nodes it is, as the ranking draws; the first where it does not."""
    if ranking.draws:
        order, number = _drawn(pools, ranking, limits, equals)
    else:
        is_idle, date, order, lowest = min((is_idle, date, order, mask & -mask) for is_idle, date, order, mask in equals)
        pool = pools[order]
        if is_idle:
            vacancies = pool.idle[date]
            limit = limits[order] if limits is not None else None
            ((leaf, bit),) = vacancies.pick(1, 0) if limit is None else _pick_in(pool, vacancies, limit, 1)
            number = pool.tree.first[leaf] + bit.bit_length() - 1
        else:
            number = lowest.bit_length() - 1
    pool = pools[order]
    state = pool.tree.nodes[number].state
    answer = ranking.answers(pool.kind, ask.shape).get(state) or ranking.answer(pool.kind, ask.shape, state)
    assert answer is not None
    return pool, number, ranking.gpu(pool.kind, ask.shape, state, answer[1])


def _drawn(
    pools: Sequence[Pool], ranking: Ranking, limits: Limits | None, equals: list[_Candidate]
) -> tuple[int, int]:
    masks: dict[int, int] = {}
    for is_idle, date, order, mask in equals:
        if is_idle:
            pool = pools[order]
            mask = pool.idle[date].numbers() & (-1 if limits is None else pool.tree.mask(*limits[order]))
        masks[order] = masks.get(order, 0) | mask
    place = ranking.draw(sum(mask.bit_count() for mask in masks.values()))
    for order, mask in sorted(masks.items()):
        count = mask.bit_count()
        if place < count:
            for _ in range(place):
                mask &= mask - 1
            return order, (mask & -mask).bit_length() - 1
        place -= count
    raise IndexError(place)


def rooms(pools: Sequence[Pool], ask: Ask, level: Level, *, only_idle: bool = False) -> dict[str, tuple[int, dict[int, Domain]]]:
    """Return for each domain of a level how many tasks of a gang it holds now, and which part of it each pool has."""
    found: dict[str, tuple[int, dict[int, Domain]]] = {}
    for order, pool in enumerate(pools):
        each, tier, tasks = pool.each(ask.shape), pool.tier_of(level), {}
        vacancies = pool.vacant(ask.ends_by)
        if vacancies is not None:
            tasks = {domain: count * each for domain, count in _vacant_by_domain(pool, vacancies, tier)}
        for _, state, mask in () if only_idle else pool.partly_used(ask.tenant, ask.ends_by):
            fits = pool.fitting(ask.shape, state)
            while fits and mask:
                number = (mask & -mask).bit_length() - 1
                mask &= mask - 1
                domain = pool.tree.domain_at(tier, number)
                tasks[domain] = tasks.get(domain, 0) + fits
        for domain in sorted(tasks):
            name = pool.tree.name(level, domain)
            count, parts = found.get(name, (0, {}))
            parts[order] = Domain(tier, domain)
            found[name] = (count + tasks[domain], parts)
    return found


def tightest_domain(pools: Sequence[Pool], ask: Ask, level: Level, *, only_idle: bool = False) -> Limits | None:
    """Return the domain of a level that holds a gang and least besides; the first of equals, None where none does."""
    fitting = [one for one in rooms(pools, ask, level, only_idle=only_idle).values() if one[0] >= ask.tasks]
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def _vacant_by_domain(pool: Pool, vacancies: Vacancies, tier: int) -> Iterable[tuple[int, int]]:
    if tier != SINGLE:
        return vacancies.rooms(tier)
    return [
        (number, 1) for leaf, bits in vacancies.masks.items() for number in pool.tree.numbers_in(leaf, bits)
    ]


def _vacant_in(pool: Pool, vacancies: Vacancies, domain: Domain) -> int:
    if domain.tier != SINGLE:
        return vacancies.room(domain.tier, domain.number)
    leaf, bit = pool.tree.seats[domain.number]
    return int(vacancies.masks.get(leaf, 0) & bit != 0)


def _pick_in(pool: Pool, vacancies: Vacancies, domain: Domain, count: int) -> Pick:
    if domain.tier != SINGLE:
        return vacancies.pick_in(domain.tier, domain.number, count)
    return [pool.tree.seats[domain.number]]


_UNKNOWN: Final[Answer] = (-1, -1)
