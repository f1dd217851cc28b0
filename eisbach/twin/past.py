"""The factory's own past as a workload: who submitted what, how long it ran, what was set and what happened; read from the log."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eisbach.app import events as e
from eisbach.app.event_codec import OpenedEvent, open_event
from eisbach.app.events_planning import SchedulerSet
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.app.fold_planning import policy_of
from eisbach.app.site_facts import SiteFacts, TariffFacts
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.jobs.placement import NO_RULE, PlacementRule, rule_of
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.store import Reader
from eisbach.twin.past_acts import Again, PastPeople
from eisbach.twin.past_bookings import PastBookings
from eisbach.twin.past_site import PastSite
from eisbach.twin.run import Act
from eisbach.twin.workload import Customer, Work
from eisbach.twin.world import PRICES

PAGE = 1_000
UNKNOWABLE = (
    "work that nobody submitted because it would have waited is not here",
    "what was cancelled, lost or stopped by its limit is played with the time that it ran, as far as that was not done again",
    "each job is submitted at the instant at which it was, whatever became of those before it",
    "who had used how much, what a month's budget was spent on and how long people's jobs ran, before the first job here, is not known to the shares, budgets and predictions",
    "weather, plants and hourly prices of site files do not stand in the log: caps on power are those that were set then, quotes have list prices, and energy is that of the racks alone, without losses and cooling",
    "failures that another placement would have met are not here",
    "options held without a booking, retries of work that failed by itself, and moves of spot that were planned then are not played: what the twin decides takes their place",
)


class NoPast(Exception):
    """A log holds nothing that can be replayed; the message says why."""


@dataclass(slots=True, kw_only=True)
class _Job:
    project: str
    submit_ms: int
    nodes: int
    shapes: tuple[NodeShape, ...]
    limit_ms: int
    grace_ms: int
    capacity_class: CapacityClass
    within: Within | None
    placement: PlacementRule
    booking: str
    submitter: str
    reads_data: bool
    ran_ms: int | None = None
    """what its last attempt ran, and what earlier ones had saved by then"""
    saved_ms: int = 0
    """what earlier attempts had saved"""
    saved_now_ms: int = field(default=0)
    """what its attempt has saved, as far as that is known"""


class Past:
    """What a log says of the jobs submitted in a window, of what was set before and meanwhile, and of all that happened to nodes from then on.

    Reading takes every event once, to the end: how long a job ran is said behind the window. A world that plays it begins at
    `begin_ms`, so that months, prices and windows are where they were; its customers are made by `acts`.
    """

    customers: tuple[Customer, ...] = ()

    def __init__(self, events: Iterable[OpenedEvent], *, from_ms: int = 0, until_ms: int = 1 << 62) -> None:
        """Raise NoPast where no job of the window ran."""
        self._from_ms, self._until_ms = from_ms, until_ms
        self._again = Again()
        self._people, self._site = PastPeople(self._again), PastSite(self._again, from_ms)
        self._bookings = PastBookings(self._again, from_ms=from_ms, until_ms=until_ms)
        self._jobs: dict[str, _Job] = {}
        self._tariffs: dict[str, e.TariffPublished] = {}
        self._refused: Counter[str] = Counter()
        self._policies = 0
        self.policy = DEFAULT
        """the one that held at the end of the window, with its numbers"""
        self._take: dict[type[e.Body], Callable[[int, Any], None]] = {
            **self._people.take,
            **self._site.take,
            **self._bookings.take,
            e.TariffPublished: self._tariff,
            e.TariffWithdrawn: self._withdrawn,
            e.JobSubmitted: self._submitted,
            UsageSettledTogether: self._settled,
            e.AttemptEnded: self._ended,
            SchedulerSet: self._scheduler_set,
        }
        for event in events:
            take = self._take.get(type(event.body))
            if take is not None:
                take(event.at_ms, event.body)
        self._works = [(name, job) for name, job in self._jobs.items() if job.ran_ms is not None]
        if not self._works:
            raise NoPast(f"No job of this time ran to an end ({len(self._jobs)} were submitted): there is nothing to replay")
        first_ms = self._works[0][1].submit_ms
        self.begin_ms = first_ms - self._bookings.lead_ms(first_ms)
        self.days = (self._works[-1][1].submit_ms - self.begin_ms) // DAY_MS + 1
        self.label = f"{len(self._works):,} jobs of the factory's own past"

    def __len__(self) -> int:
        return len(self._works)

    def __iter__(self) -> Iterator[Work]:
        for name, job in self._works:
            yield Work(
                job=name,
                customer=job.project,
                submit_ms=job.submit_ms - self.begin_ms,
                duration_ms=job.ran_ms or 0,
                limit_ms=job.limit_ms,
                nodes=job.nodes,
                shape=job.shapes[0],
                others=job.shapes[1:],
                capacity_class=job.capacity_class,
                within=job.within,
                placement=job.placement,
                booking=job.booking,
                grace_ms=job.grace_ms,
                submitter=job.submitter,
            )

    def sites(self) -> tuple[SiteFacts, ...]:
        """Return the sites with all nodes that stood there at any time."""
        return self._site.sites()

    def prices(self) -> tuple[TariffFacts, ...]:
        """Return the prices as they were published; the example price list where none ever were."""
        found = tuple(
            TariffFacts(
                version=one.version, label=one.label, core_hour=one.core_hour, memory_gib_hour=one.memory_gib_hour, gpu_hour=dict(one.gpu_hour),
                spot_permille=one.spot_permille, booking=BookingRules(**one.booking_rules), valid_from_ms=one.valid_from_ms,
                valid_until_ms=one.valid_until_ms,
            )
            for one in self._tariffs.values()
        )  # fmt: skip
        return found or (PRICES,)

    def acts(self) -> list[Act]:
        """Return what people and operators did and what happened to nodes, in order; at one instant people before nodes before bookings."""
        acts = [act for area in (self._people, self._site, self._bookings) for act in area.acts(self.begin_ms)]
        return sorted(acts, key=lambda act: act.at_ms)

    def refuse(self, work: Work, refusal: Refusal) -> None:
        """A job is refused that was accepted then; it is counted."""
        self._refused[refusal.reason.value] += 1

    def unknown(self) -> list[str]:
        """Return what a replay of it cannot know or does not play, with how much of it there was; all of it once it was played."""
        jobs = [job for _, job in self._works]
        lost = self._bookings.asked - self._bookings.booked
        counted = (
            (len(self._jobs) - len(jobs), "1 job that never ran or still runs is left out", "{:,} jobs that never ran or still run are left out"),
            (lost, "1 booking finds no such option any more, and what ran inside it is on-demand", "{:,} bookings find no such option any more, and what ran inside them is on-demand"),
            (sum(job.reads_data for job in jobs), "1 job reads data sets: where copies of those lay is not asked", "{:,} jobs read data sets: where copies of those lay is not asked"),
            (len(self._site.changed), "1 node that was changed has what it offered last", "{:,} nodes that were changed have what they offered last"),
            (self._policies, "the scheduler's policy was set once meanwhile: one is played throughout", "the scheduler's policy was set {:,} times meanwhile: one is played throughout"),
        )  # fmt: skip
        found = [_many(*one) for one in counted if one[0]]
        for reason, count in sorted(self._refused.items()):
            found.append(_many(count, f"1 job is refused that was accepted then: {reason}", f"{{:,}} jobs are refused that were accepted then: {reason}"))
        found += [_many(count, f"{what} is refused once", f"{what} is refused {{:,}} times") for what, count in sorted(self._again.refused.items())]
        return [*found, *UNKNOWABLE]

    def _tariff(self, at_ms: int, body: e.TariffPublished) -> None:
        self._tariffs[body.version] = body

    def _withdrawn(self, at_ms: int, body: e.TariffWithdrawn) -> None:
        self._tariffs.pop(body.version, None)

    def _submitted(self, at_ms: int, body: e.JobSubmitted) -> None:
        if not self._is_in_window(at_ms):
            return
        self._site.begin()
        parts = body.parts or ((WHOLE, ""),) * len(body.shapes)
        shapes = tuple(
            NodeShape(cpu_milli=cpu_milli, memory_mib=memory_mib, gpus=gpus, flavour=flavour, gpu_milli=gpu_milli, mig=mig)
            for (cpu_milli, memory_mib, gpus, flavour), (gpu_milli, mig) in zip(body.shapes, parts, strict=True)
        )
        self._jobs[body.job] = _Job(
            project=body.project,
            submit_ms=at_ms,
            nodes=body.nodes,
            shapes=shapes,
            limit_ms=body.limit_ms,
            grace_ms=body.grace_ms,
            capacity_class=CapacityClass(body.capacity_class),
            within=Within(Level(body.within), is_required=body.within_required) if body.within else None,
            placement=rule_of(body.placement) if body.placement else NO_RULE,
            booking=body.booking,
            submitter=body.by,
            reads_data=bool(body.data),
        )

    def _settled(self, at_ms: int, body: UsageSettledTogether) -> None:
        for name, saved_ms in zip(body.jobs, body.saved_ms, strict=False):
            job = self._jobs.get(name)
            if job is not None:
                job.saved_now_ms = saved_ms

    def _ended(self, at_ms: int, body: e.AttemptEnded) -> None:
        job = self._jobs.get(body.job)
        if job is not None and body.running_since_ms is not None:
            job.ran_ms = job.saved_ms + body.held_ms
            job.saved_ms, job.saved_now_ms = job.saved_ms + job.saved_now_ms, 0

    def _scheduler_set(self, at_ms: int, body: SchedulerSet) -> None:
        if at_ms < self._until_ms:
            found = policy_of(body)
            self._policies += at_ms >= self._from_ms and bool(self._jobs) and found != self.policy
            self.policy = found

    def _is_in_window(self, at_ms: int) -> bool:
        return self._from_ms <= at_ms < self._until_ms


def _many(count: int, one: str, several: str) -> str:
    return one if count == 1 else several.format(count)


def events_in(reader: Reader) -> Iterator[OpenedEvent]:
    """Yield every event of a log, oldest first."""
    seq = -1
    while page := reader.events(after_seq=seq, limit=PAGE):
        for sealed in page:
            yield open_event(sealed.data)
        seq = page[-1].seq
