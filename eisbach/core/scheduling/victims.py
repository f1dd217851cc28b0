"""The cheapest set of work whose end leaves room for a gang: exact where few are asked, near to it where many are.

Choosing victims is a covering problem: a node takes another task only when enough of what holds it is gone, and a gang frees all
its nodes or none. First greedily by lost work per task gained, over bundles that clear a node; what that took in vain is
given back; then branch and bound looks for less, with the bound of the fractional cover, for as many steps as are allowed. Up to
a few dozen candidates that ends with a proof; beyond, with the best that was found.

A gain is counted in parts of 2^-16 where several must go before a node gains: each is worth its part, rounded up, so that
the bound stays one.
"""

import heapq
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

STEPS_MAX: Final = 4_000
"""Steps of branch and bound for one domain."""

Amounts = tuple[int, int, int]
"""milli-cores, MiB, GPUs"""
Held = Sequence[tuple[int, int, int, int]]
"""place, milli-cores, MiB, GPUs: what a candidate holds, each place once"""

_ONE: Final = 1 << 16
_SCALE: Final = 1 << 24


def tasks_in(need: Amounts, cpu_milli: int, memory_mib: int, gpus: int) -> int:
    """Return how many tasks these amounts hold."""
    fits = cpu_milli // need[0] if need[0] else _ONE
    if need[1]:
        fits = min(fits, memory_mib // need[1])
    if need[2]:
        fits = min(fits, gpus // need[2])
    return fits


class _Cover:
    """One covering problem: places that may gain, items that may go. An item is one candidate, or several that only count together."""

    def __init__(self, free: Sequence[Amounts], costs: Sequence[int], held: Sequence[Held], need: Amounts) -> None:
        self.need = need
        on: dict[int, list[Amounts]] = {}
        for its_parts in held:
            for place, cpu_milli, memory_mib, gpus in its_parts:
                parts = on.get(place)
                if parts is None:
                    on[place] = [(cpu_milli, memory_mib, gpus)]
                else:
                    parts.append((cpu_milli, memory_mib, gpus))
        self.gains: dict[int, int] = {}
        self.is_whole: dict[int, bool] = {}
        self.before: dict[int, int] = {}
        self.room: dict[int, list[int]] = {}
        known: dict[object, tuple[int, int, bool]] = {}
        for place, parts in on.items():
            key = (free[place], parts[0]) if len(parts) == 1 else (free[place], *parts)
            facts = known.get(key)
            if facts is None:
                facts = known[key] = self._look_at(free[place], parts)
            if facts[0]:
                self.gains[place], self.before[place], self.is_whole[place] = facts
                if not facts[2]:
                    self.room[place] = list(free[place])
        self.members: list[list[int]] = []
        self.costs: list[int] = []
        self.places: list[list[int]] = []
        self._merge(costs, held)
        self.left = {place: len(items) for place, items in self.items_on.items()}
        self.gain = 0

    def _look_at(self, free: Amounts, parts: Sequence[Amounts]) -> tuple[int, int, bool]:
        """Return what a place gains when all are gone, how many tasks it holds now, and whether all must go for any gain."""
        need = self.need
        cpu_milli, memory_mib, gpus = free
        before = tasks_in(need, cpu_milli, memory_mib, gpus)
        for cpu, memory, count in parts:
            cpu_milli, memory_mib, gpus = cpu_milli + cpu, memory_mib + memory, gpus + count
        gain = tasks_in(need, cpu_milli, memory_mib, gpus) - before
        is_whole = len(parts) == 1 or all(
            tasks_in(need, cpu_milli - cpu, memory_mib - memory, gpus - count) == before for cpu, memory, count in parts
        )
        return gain, before, is_whole

    def _merge(self, costs: Sequence[int], held: Sequence[Held]) -> None:
        """Make items: candidates that are nowhere else, at a place that gains only when all are gone, count as one."""
        merged: dict[int, int] = {}
        self.amounts: dict[tuple[int, int], Amounts] = {}
        gains = self.gains
        for number, parts in enumerate(held):
            if len(parts) == 1:
                places = [parts[0][0]] if parts[0][0] in gains else []
            else:
                places = [part[0] for part in parts if part[0] in gains]
            if not places:
                continue
            alone = places[0] if len(places) == 1 and self.is_whole[places[0]] else None
            item = merged.get(alone) if alone is not None else None
            if item is None:
                item = len(self.members)
                self.members.append([])
                self.costs.append(0)
                self.places.append(places)
                if alone is not None:
                    merged[alone] = item
            self.members[item].append(number)
            self.costs[item] += costs[number]
            for place, cpu_milli, memory_mib, gpus in parts if self.room else ():
                if place in self.room:
                    self.amounts[item, place] = (cpu_milli, memory_mib, gpus)
        self.items_on: dict[int, list[int]] = {place: [] for place in self.gains}
        for item, places in enumerate(self.places):
            for place in places:
                self.items_on[place].append(item)

    def add(self, item: int) -> None:
        """An item goes."""
        for place in self.places[item]:
            self.left[place] -= 1
            if self.is_whole[place]:
                if not self.left[place]:
                    self.gain += self.gains[place]
            else:
                self.gain += self._moved(item, place, 1)

    def drop(self, item: int) -> None:
        """An item stays after all."""
        for place in self.places[item]:
            if self.is_whole[place]:
                if not self.left[place]:
                    self.gain -= self.gains[place]
            else:
                self.gain += self._moved(item, place, -1)
            self.left[place] += 1

    def _moved(self, item: int, place: int, sign: int) -> int:
        room, (cpu_milli, memory_mib, gpus) = self.room[place], self.amounts[item, place]
        was = tasks_in(self.need, *room)
        room[0] += sign * cpu_milli
        room[1] += sign * memory_mib
        room[2] += sign * gpus
        return tasks_in(self.need, *room) - was

    def worth(self, items: Sequence[int]) -> int:
        """Return how many tasks fit more when these are gone as well."""
        if len(items) == 1:
            gain = 0
            for place in self.places[items[0]]:
                if self.is_whole[place]:
                    if self.left[place] == 1:
                        gain += self.gains[place]
                else:
                    gain += self._moved(items[0], place, 1)
                    self._moved(items[0], place, -1)
            return gain
        before = self.gain
        for item in items:
            self.add(item)
        gain = self.gain - before
        for item in reversed(items):
            self.drop(item)
        return gain


def least_cost(
    free: Sequence[Amounts],
    costs: Sequence[int],
    held: Sequence[Held],
    need: Amounts,
    missing: int,
    below: int | None = None,
    steps: int = STEPS_MAX,
) -> tuple[int, list[int]] | None:
    """Return the cost and the numbers of the candidates that go so that `missing` more tasks fit; None where none can.

    `free` is what each place has free, `held` what each candidate holds of places. Only what costs less than `below` is asked for.
    """
    cover = _Cover(free, costs, held, need)
    if sum(cover.gains.values()) < missing:
        return None
    worths = _worths(cover)
    order = sorted(range(len(cover.costs)), key=lambda item: (cover.costs[item] * _SCALE // worths[item], item))
    bound = _Bound(cover, order, worths)
    least = bound.at(0, missing * _ONE)
    if least is None or (below is not None and least >= below):
        return None
    chosen = _greedily(cover, missing)
    cost = sum(cover.costs[item] for item in chosen)
    for item in chosen:
        cover.drop(item)
    better = _better(cover, bound, missing, cost if below is None else min(cost, below), steps)
    if better is not None:
        chosen = better
        cost = sum(cover.costs[item] for item in chosen)
    if below is not None and cost >= below:
        return None
    return cost, sorted(number for item in chosen for number in cover.members[item])


def _worths(cover: _Cover) -> list[int]:
    """Return the most that each item may be worth: its part of what its places gain, the whole where it may gain that alone."""
    each = {
        place: -(-gain * _ONE // (len(cover.items_on[place]) if cover.is_whole[place] else 1))
        for place, gain in cover.gains.items()
    }
    return [sum(each[place] for place in places) for places in cover.places]


class _Bound:
    """The least that covering so much costs with the items from a position on, if parts of an item could go."""

    def __init__(self, cover: _Cover, order: Sequence[int], worths: Sequence[int]) -> None:
        self.order = order
        self.worths = [worths[item] for item in order]
        self.costs = [cover.costs[item] for item in order]
        self._worth_before = [0, *accumulate(self.worths)]
        self._cost_before = [0, *accumulate(self.costs)]

    def at(self, position: int, missing: int) -> int | None:
        """Return that cost; None where even all of them are too few."""
        if missing <= 0:
            return 0
        goal = self._worth_before[position] + missing
        last = bisect_left(self._worth_before, goal)
        if last == len(self._worth_before):
            return None
        rest = goal - self._worth_before[last - 1]
        whole = self._cost_before[last - 1] - self._cost_before[position]
        return whole - (-self.costs[last - 1] * rest // self.worths[last - 1])


def _greedily(cover: _Cover, missing: int) -> list[int]:
    """Return items that are enough, none in vain, and have these gone: the least cost per task first."""
    heap: list[tuple[int, int, tuple[int, ...]]] = []
    known: set[tuple[int, ...]] = set()

    def offer(bundle: tuple[int, ...]) -> None:
        if bundle and bundle not in known:
            gain = min(cover.worth(bundle), missing - cover.gain)
            if gain > 0:
                known.add(bundle)
                heapq.heappush(heap, (sum(cover.costs[item] for item in bundle) * _SCALE // gain, len(known), bundle))

    chosen: dict[int, None] = {}

    def offer_all(place: int) -> None:
        left = [item for item in cover.items_on[place] if item not in chosen]
        offer(tuple(left))
        if not cover.is_whole[place]:
            left.sort(key=lambda item: (cover.costs[item] // (1 + cover.amounts[item, place][2]), item))
            for length in range(1, len(left)):
                offer(tuple(left[:length]))
            for item in left:
                offer((item,))

    for place in cover.gains:
        offer_all(place)
    while cover.gain < missing:
        key, number, bundle = heapq.heappop(heap)
        rest = tuple(item for item in bundle if item not in chosen)
        gain = min(cover.worth(rest), missing - cover.gain) if rest else 0
        if gain <= 0:
            known.discard(bundle)
            continue
        now = sum(cover.costs[item] for item in rest) * _SCALE // gain
        if now > key and heap and now > heap[0][0]:
            heapq.heappush(heap, (now, number, rest))
            continue
        for item in rest:
            cover.add(item)
            chosen[item] = None
        for place in {place for item in rest for place in cover.places[item] if cover.left[place]}:
            offer_all(place)
    for item in sorted(chosen, key=lambda item: (-cover.costs[item], item)):
        cover.drop(item)
        if cover.gain >= missing:
            del chosen[item]
        else:
            cover.add(item)
    return list(chosen)


def _better(cover: _Cover, bound: _Bound, missing: int, best: int, steps: int) -> list[int] | None:
    """Return the cheapest items that are enough and cost less than `best`, as far as the steps reach; None without any."""
    found: list[int] | None = None
    taken: list[int] = []
    cost = worth = position = 0
    goal, length = missing * _ONE, len(bound.order)
    for _ in range(steps):
        least = bound.at(position, goal - worth) if cover.gain < missing else None
        if cover.gain >= missing and cost < best:
            best, found = cost, [bound.order[one] for one in taken]
        if least is not None and position < length and cost + least < best:
            cover.add(bound.order[position])
            cost, worth = cost + bound.costs[position], worth + bound.worths[position]
            taken.append(position)
            position += 1
            continue
        if not taken:
            break
        position = taken.pop()
        cover.drop(bound.order[position])
        cost, worth = cost - bound.costs[position], worth - bound.worths[position]
        position += 1
    for one in taken:
        cover.drop(bound.order[one])
    return found
