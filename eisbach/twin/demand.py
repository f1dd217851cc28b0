"""Imagined demand: classes of customers with their rates, sizes and durations, drawn from a seed.

Arrivals are a Poisson process whose rate follows the hour of the day and the day of the week (thinning: Lewis and Shedler,
Simulation of nonhomogeneous Poisson processes by thinning, 1979). Durations are log-normal, as batch work is in the traces
of GPU clusters (Hu et al., Characterization and Prediction of Deep Learning Workloads, SC 2021, figure 2).
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from eisbach.app.site_facts import SiteFacts
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.twin.workload import Customer, Unit, UnknownFlavour, Work, derived_limit_ms, unit_of

P90_SIGMAS = 1.2816
"""A normal distribution has nine tenths of its mass below so many standard deviations."""
MILLI = 1000
HOURS_A_WEEK = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookings:
    """How often customers of a class book ahead: how many nodes, for how long, from how long after they asked."""

    per_week_milli: int
    nodes: int
    for_ms: int
    ahead_ms: int
    used_permille: int = 1000
    """which part of the window the owner works in"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerClass:
    """Customers of one kind. `hours` and `weekdays` (Monday first) are relative rates of which the mean counts as one;
    `sizes` are pairs of thousandths of GPUs and a weight. `limit_milli` is the limit over the duration, 0: derived.
    """

    name: str
    segment: str
    customers: int
    jobs_per_day_milli: int
    hours: tuple[int, ...] = (1,) * 24
    weekdays: tuple[int, ...] = (1,) * 7
    sizes: tuple[tuple[int, int], ...]
    median_ms: int
    p90_ms: int
    longest_ms: int
    limit_milli: int = 0
    capacity_class: CapacityClass = CapacityClass.ON_DEMAND
    within: Within | None = None
    flavour: str = ""
    bookings: Bookings | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its customers."""
        return (self.name,) if self.customers == 1 else tuple(f"{self.name}-{nth + 1}" for nth in range(self.customers))


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingWish:
    """A customer asks at `asked_ms` for nodes in a window; both count from the beginning of the run."""

    customer: str
    asked_ms: int
    from_ms: int
    until_ms: int
    nodes: int
    flavour: str
    shape: NodeShape
    within: Within | None
    used_permille: int


class DemandWorkload:
    """The jobs of all classes on a site for some days; each class has a stream of chance of its own, so one more class
    changes nothing of the others."""

    def __init__(self, classes: Sequence[CustomerClass], site: SiteFacts, *, days: int, seed: int, name: str = "demand") -> None:
        self._classes, self._seed, self._until_ms = tuple(classes), seed, days * DAY_MS
        self._units = {one.name: unit_of(site, one.flavour) for one in classes}
        for one in classes:
            _check_sizes(one, self._units[one.name])
        self.customers = tuple(Customer(name, one.segment) for one in classes for name in one.names)
        self._count = sum(1 for one in classes for _ in self._arrivals(one))
        self.label = f"{name}: {self._count:,} jobs drawn with seed {seed}"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Work]:
        return heapq.merge(*(self._works(one) for one in self._classes), key=lambda work: work.submit_ms)

    def bookings(self) -> list[BookingWish]:
        """Return what is booked ahead, in the order in which it is asked for."""
        wishes = [wish for one in self._classes if one.bookings is not None for wish in self._booked(one, one.bookings)]
        return sorted(wishes, key=lambda wish: wish.asked_ms)

    def _arrivals(self, one: CustomerClass) -> Iterator[int]:
        """Yield the instants of submission of a class."""
        chance = self._chance(one, "arrivals")
        weekly = [hour * weekday for weekday in one.weekdays for hour in one.hours]
        highest = max(weekly)
        mean_gap_ms = DAY_MS * MILLI * sum(weekly) / (one.jobs_per_day_milli * highest * HOURS_A_WEEK) if one.jobs_per_day_milli else math.inf
        at = 0.0
        while True:
            at += chance.expovariate(1.0) * mean_gap_ms
            if at >= self._until_ms:
                return
            if chance.random() * highest < weekly[int(at // HOUR_MS) % HOURS_A_WEEK]:
                yield int(at)

    def _works(self, one: CustomerClass) -> Iterator[Work]:
        chance, unit, names = self._chance(one, "jobs"), self._units[one.name], one.names
        weights = list(accumulate(weight for _, weight in one.sizes))
        asked = [unit.part(gpus_milli) for gpus_milli, _ in one.sizes]
        sigma = math.log(one.p90_ms / one.median_ms) / P90_SIGMAS
        for nth, at_ms in enumerate(self._arrivals(one)):
            nodes, shape = asked[bisect_right(weights, chance.random() * weights[-1])]
            drawn_ms = round(one.median_ms * math.exp(sigma * chance.gauss(0.0, 1.0)))
            duration_ms = max(SECOND_MS, min(one.longest_ms, drawn_ms))
            job = f"{one.name}-{nth}"
            limit_ms = duration_ms * one.limit_milli // MILLI if one.limit_milli else derived_limit_ms(job, duration_ms)
            yield Work(
                job=job,
                customer=names[int(chance.random() * len(names))],
                submit_ms=at_ms,
                duration_ms=duration_ms,
                limit_ms=max(MINUTE_MS, limit_ms),
                nodes=nodes,
                shape=shape,
                capacity_class=one.capacity_class,
                within=one.within if nodes > 1 else None,
            )

    def _booked(self, one: CustomerClass, said: Bookings) -> Iterator[BookingWish]:
        chance = self._chance(one, "bookings")
        at = 0.0
        while said.per_week_milli:
            at += chance.expovariate(1.0) * 7 * DAY_MS * MILLI / said.per_week_milli
            if at >= self._until_ms:
                return
            from_ms = (int(at) + said.ahead_ms) // HOUR_MS * HOUR_MS + HOUR_MS
            customer = one.names[int(chance.random() * one.customers)]
            yield BookingWish(
                customer=customer, asked_ms=int(at), from_ms=from_ms, until_ms=from_ms + said.for_ms, nodes=said.nodes,
                flavour=self._units[one.name].flavour, shape=self._units[one.name].whole, within=one.within,
                used_permille=said.used_permille,
            )  # fmt: skip

    def _chance(self, one: CustomerClass, what: str) -> Random:
        return Random(f"{self._seed}/{one.name}/{what}")


class TooLarge(UnknownFlavour):
    """A class asks for more than the site has."""


def _check_sizes(one: CustomerClass, unit: Unit) -> None:
    for gpus_milli, _ in one.sizes:
        nodes, _ = unit.part(gpus_milli)
        if not unit.gpus or nodes > unit.nodes:
            raise TooLarge(
                f"The class {one.name!r} asks for {gpus_milli / WHOLE:g} GPUs, and the site has {unit.nodes:,} nodes of "
                f"{unit.flavour} with {unit.gpus} GPUs each"
            )
    if one.bookings is not None and one.bookings.nodes > unit.nodes:
        raise TooLarge(f"The class {one.name!r} books {one.bookings.nodes:,} nodes, and the site has {unit.nodes:,} of {unit.flavour}")
