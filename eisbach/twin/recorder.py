"""Writes down what a report shows: utilisation over time, waits, work by rack. It listens to the batches of a world."""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eisbach.app.draft import Draft
from eisbach.app.events import AttemptEnded, AttemptPlanned, AttemptRunning, Body, JobEnded, JobSubmitted
from eisbach.app.events_booking import BookingMade
from eisbach.app.events_health import ClosureAnnounced
from eisbach.app.events_planning import StartPromised
from eisbach.core.capacity.health import NEVER_MS
from eisbach.core.jobs.request import WHOLE, CapacityClass
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.twin.booked_time import BookedTime
from eisbach.twin.curve import Curve
from eisbach.twin.promise_record import Promised, PromiseRecord
from eisbach.twin.world import World

SIZES = (("part of a GPU", WHOLE - 1), ("1 GPU", WHOLE), ("2 to 8", 8_000), ("9 to 64", 64_000), ("65 to 511", 511_999))
LARGEST = "512 and more"
FINE_DAYS = 3
"""Up to so many days are shown by ten minutes, longer ones by the hour."""
ENDED = "ended"
RESERVED = CapacityClass.RESERVED.value
"""Inside a booking nobody waits but for the window."""


def size_of(gpus_milli: int) -> str:
    """Return the class of sizes that a job belongs to."""
    return next((name for name, most in SIZES if gpus_milli <= most), LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something with a window and nodes: a booking, a promised start, maintenance. `whose` is a tenant's text."""

    kind: str
    whose: str
    from_ms: int
    until_ms: int
    nodes: int


class Recorder:
    """Everything in thousandths of a GPU. `waits_ms` are those of first starts, by capacity class and size."""

    def __init__(self, world: World, *, days: int | None = None) -> None:
        self._world = world
        self.begin_ms = int(world.now)
        self.bucket_ms = 10 * MINUTE_MS if days is not None and days <= FINE_DAYS else HOUR_MS
        self.allocated, self.busy, self.sold = (Curve(self.begin_ms, self.bucket_ms) for _ in range(3))
        self.waiting = Curve(self.begin_ms, self.bucket_ms)
        """GPUs that jobs waited for"""
        self.waits_ms: dict[tuple[str, str], array[int]] = {}
        self.node_ms: dict[str, int] = {}
        """node -> thousandths of a GPU x milliseconds that were held of it"""
        self.last_ms = self.begin_ms
        self._asked: dict[str, tuple[int, str, tuple[int, ...], int]] = {}
        self._waits_since: dict[str, int] = {}
        self._entries: dict[str, Entry] = {}
        self._booked = BookedTime()
        self._promises = PromiseRecord()
        self._gpus = {node.node: node.gpus for site in world.sites for node in site.nodes}
        self._held: dict[str, tuple[int, int, tuple[tuple[str, int], ...]]] = {}
        self._take: Mapping[type[Body], Callable[[int, Any], None]] = {
            JobSubmitted: self._submitted,
            AttemptPlanned: self._planned,
            AttemptRunning: self._running,
            AttemptEnded: self._ended,
            JobEnded: self._job_ended,
            StartPromised: self._promised,
            **dict.fromkeys(BookedTime.KINDS, self._about_booking),
            ClosureAnnounced: self._closure,
        }
        world.application.listeners.append(self.take)

    def take(self, draft: Draft) -> None:
        """Write down what a batch changed."""
        self.last_ms = draft.context.now
        for body in draft.bodies:
            write = self._take.get(type(body))
            if write is not None:
                write(self.last_ms, body)
            follow = self._promises.kinds.get(type(body))
            if follow is not None:
                follow(self.last_ms, body)

    def close(self, until_ms: int) -> None:
        """Count what is still held or waits as held and waiting until now."""
        self.last_ms = max(self.last_ms, until_ms)
        for gpus_milli, planned_ms, tasks in self._held.values():
            self._hold(planned_ms, self.last_ms, gpus_milli, tasks)
            self.busy.add(planned_ms, self.last_ms, gpus_milli)
            self._sell(planned_ms, self.last_ms, gpus_milli, tasks)
        for node, since, until in self._booked.all(self.last_ms):
            self.sold.add(since, until, self._gpus[node] * WHOLE)
        for job, since_ms in self._waits_since.items():
            self.waiting.add(since_ms, self.last_ms, self._asked[job][2][0])

    def entries(self) -> list[Entry]:
        """Return what stood in the calendar: bookings, the last promise of each job, maintenance; a drain up to the end of the run."""
        return [
            replace(one, until_ms=max(one.from_ms, self.last_ms)) if one.until_ms == NEVER_MS else one
            for one in self._entries.values()
        ]

    @property
    def promises(self) -> list[Promised]:
        """Return what became of promised starts."""
        return self._promises.promises

    @property
    def days(self) -> float:
        """Return how many virtual days were written down."""
        return (self.last_ms - self.begin_ms) / DAY_MS

    def _submitted(self, now: int, body: JobSubmitted) -> None:
        parts = body.parts or ((WHOLE, ""),) * len(body.shapes)
        asked = tuple(shape[2] * part[0] for shape, part in zip(body.shapes, parts, strict=True))
        self._asked[body.job] = (now, body.capacity_class, tuple(one * body.nodes for one in asked), body.nodes)
        if not body.booking:
            self._waits_since[body.job] = now

    def _planned(self, now: int, body: AttemptPlanned) -> None:
        _, _, asked, nodes = self._asked[body.job]
        gpus_milli = asked[body.shape]
        self.waiting.add(self._waits_since.pop(body.job, now), now, asked[0])
        each = gpus_milli // nodes
        self._held[body.attempt] = (gpus_milli, now, tuple((task[1], each) for task in body.tasks))

    def _running(self, now: int, body: AttemptRunning) -> None:
        submitted_ms, capacity_class, asked, _ = self._asked[body.job]
        if body.since_ms == body.job_since_ms and capacity_class != RESERVED:
            waits = self.waits_ms.setdefault((capacity_class, size_of(asked[0])), array("q"))
            waits.append(body.since_ms - submitted_ms)

    def _ended(self, now: int, body: AttemptEnded) -> None:
        gpus_milli, planned_ms, tasks = self._held.pop(body.attempt)
        self._hold(planned_ms, now, gpus_milli, tasks)
        if body.running_since_ms is not None:
            self.busy.add(body.running_since_ms, now, gpus_milli)
            if body.charged_ms:
                self._sell(now - body.charged_ms, now, gpus_milli, tasks)
        if body.next == ENDED:
            del self._asked[body.job]
        else:
            self._waits_since[body.job] = now

    def _job_ended(self, now: int, body: JobEnded) -> None:
        self.waiting.add(self._waits_since.pop(body.job, now), now, self._asked.pop(body.job)[2][0])

    def _promised(self, now: int, body: StartPromised) -> None:
        self._entries[body.job] = Entry(kind="promised start", whose=body.job, from_ms=body.from_ms, until_ms=body.until_ms, nodes=len(body.nodes))

    def _about_booking(self, now: int, body: Body) -> None:
        self._booked.take(now, body)
        if isinstance(body, BookingMade):
            whose = self._world.state.projects[body.project].name
            self._entries[body.booking] = Entry(kind="booking", whose=whose, from_ms=body.from_ms, until_ms=body.until_ms, nodes=len(body.nodes))

    def _closure(self, now: int, body: ClosureAnnounced) -> None:
        until_ms = body.until_ms or body.from_ms + DAY_MS
        self._entries[body.closure] = Entry(kind="maintenance", whose="operator", from_ms=body.from_ms, until_ms=until_ms, nodes=len(body.nodes))

    def _sell(self, from_ms: int, until_ms: int, gpus_milli: int, tasks: tuple[tuple[str, int], ...]) -> None:
        """Count what is charged, but for nodes that a booking has paid for meanwhile."""
        self.sold.add(from_ms, until_ms, gpus_milli)
        for node, each in tasks if self._booked else ():
            for since, until in self._booked.within(node, from_ms, until_ms):
                self.sold.add(since, until, -each)

    def _hold(self, from_ms: int, until_ms: int, gpus_milli: int, tasks: tuple[tuple[str, int], ...]) -> None:
        self.allocated.add(from_ms, until_ms, gpus_milli)
        for node, each in tasks:
            self.node_ms[node] = self.node_ms.get(node, 0) + each * (until_ms - from_ms)

