"""Counts what happens in a world, batch by batch: finished jobs become totals, and only their waits are kept."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any, Final

from eisbach.app.draft import Draft
from eisbach.app.events import (
    AttemptEnded,
    AttemptPlanned,
    AttemptRunning,
    Body,
    JobEnded,
    JobStopping,
    JobSubmitted,
    PartTuple,
)
from eisbach.app.events_energy import EnergyMetered
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.app.events_shares import DefragmentationPlanned
from eisbach.app.plan_hash import ENDED, PlanHash
from eisbach.core.jobs.lifecycle import Fault
from eisbach.core.jobs.request import WHOLE
from eisbach.core.jobs.within import Level
from eisbach.core.scheduling.promise import BreakCause
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MJ_PER_KWH, SECOND_MS
from eisbach.twin.booked_time import BookedTime
from eisbach.twin.result import Result, cpu_seconds, peak_rss_mb
from eisbach.twin.world import World

PREEMPTED: Final = Fault.PREEMPTION.value
SHARED: Final = {Level.HALL: 2, Level.ROW: 3, Level.RACK: 4, Level.NVLINK: 5}
"""How much of (site, hall, row, rack, NVLink domain) the nodes of one domain have in common."""
BY_TENANT: Final = BreakCause.TENANT.value


class Figures:
    """Listens to the batches of a world from now on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._place_of = {
            node.node: (site.site, node.hall, node.row, node.rack, node.nvlink or node.node)
            for site in world.sites
            for node in site.nodes
        }
        self._gpus_of = {node.node: node.gpus for site in world.sites for node in site.nodes}
        self._gpus = sum(node.gpus for site in world.sites for node in site.nodes)
        self.plan_hash = PlanHash()
        self.waits_ms = array("q")
        """one for each job that ran, in the order in which they did"""
        self.submitted = self.finished = self.preemptions = self.gangs = self.gangs_in_rack = 0
        self.promises = self.promises_broken = 0
        self.first_ms: int | None = None
        self.last_ms = 0
        self.allocated = self.busy = self.sold = 0
        """thousandths of a GPU x milliseconds"""
        self.moves = self.moves_gain = 0
        """attempts that moved aside, and what that was reckoned to bring, in thousandths of a GPU x milliseconds"""
        self.it_mj = self.site_mj = 0
        """what the racks and what whole sites drew, as they were metered"""
        self.has_plant = False
        """whether losses and cooling were, at any site"""
        self._waiting: dict[str, int] = {}
        self._held: dict[str, tuple[int, int]] = {}
        """attempt -> thousandths of a GPU that it holds, and since when"""
        self._tasks: dict[str, tuple[tuple[str, int], ...]] = {}
        """attempt -> the node of each task and what it holds there, once anything was booked"""
        self._parts: dict[str, tuple[PartTuple, ...]] = {}
        """job -> what each of its shapes takes of its GPUs, for those that take a part"""
        self._wished: dict[str, int] = {}
        """job -> how much of a place its nodes shall share, for gangs that asked for another level than a rack"""
        self._promised: dict[str, int] = {}
        """job -> the start that it was promised"""
        self._booked = BookedTime()
        self._take: Mapping[type[Body], Callable[[int, Any], None]] = {
            JobSubmitted: self._job_submitted,
            AttemptPlanned: self._planned,
            AttemptRunning: self._running,
            AttemptEnded: self._ended,
            JobEnded: self._job_ended,
            JobStopping: self._stopping,
            StartPromised: self._start_promised,
            StartUnpromised: self._start_unpromised,
            **dict.fromkeys(BookedTime.KINDS, self._booked.take),
            DefragmentationPlanned: self._moved,
            EnergyMetered: self._metered,
        }
        world.application.listeners.append(self.take)

    def take(self, draft: Draft) -> None:
        """Count what a batch changed."""
        now, take = draft.context.now, self._take
        for body in draft.bodies:
            count = take.get(type(body))
            if count is not None:
                count(now, body)

    def _job_submitted(self, now: int, body: JobSubmitted) -> None:
        self.plan_hash.submitted(body)
        self.submitted += 1
        if not body.booking:  # inside a booking nobody waits but for the window
            self._waiting[body.job] = now
        if body.within and body.within != Level.RACK.value:
            self._wished[body.job] = SHARED[Level(body.within)]
        if body.parts:
            self._parts[body.job] = body.parts
        if self.first_ms is None:
            self.first_ms = now

    def _planned(self, now: int, body: AttemptPlanned) -> None:
        self.plan_hash.planned(body)
        tasks = body.tasks
        parts = self._parts.get(body.job) if self._parts else None
        part = parts[body.shape][0] if parts is not None else WHOLE
        gpus = len(tasks[0][4]) if len(tasks) == 1 else sum([len(task[4]) for task in tasks])
        self._held[body.attempt] = (gpus * part, now)
        if self._booked:
            self._tasks[body.attempt] = tuple((task[1], len(task[4]) * part) for task in tasks)
        if len(tasks) > 1:
            shared = self._wished.pop(body.job, SHARED[Level.RACK])
            first, last = self._place_of[tasks[0][1]][:shared], self._place_of[tasks[-1][1]][:shared]
            self.gangs += 1
            self.gangs_in_rack += first == last and all(self._place_of[task[1]][:shared] == first for task in tasks)
        if self._promised and self._promised.pop(body.job, now) < now:
            self.promises_broken += 1

    def _stopping(self, now: int, body: JobStopping) -> None:
        self.plan_hash.stopping(body)

    def _start_promised(self, now: int, body: StartPromised) -> None:
        self.promises += body.earlier_than_ms is None
        self._promised[body.job] = body.from_ms

    def _start_unpromised(self, now: int, body: StartUnpromised) -> None:
        self._promised.pop(body.job, None)
        self.promises_broken += body.cause != BY_TENANT

    def _moved(self, now: int, body: DefragmentationPlanned) -> None:
        self.moves += len(body.moved)
        self.moves_gain += body.gain_gpu_milli_ms

    def _metered(self, now: int, body: EnergyMetered) -> None:
        self.it_mj += body.it_mj
        self.site_mj += body.it_mj + body.losses_mj + body.cooling_mj
        self.has_plant |= body.has_plant

    def _running(self, now: int, body: AttemptRunning) -> None:
        submitted_ms = self._waiting.pop(body.job, None)
        if submitted_ms is not None:
            self.waits_ms.append(body.since_ms - submitted_ms)

    def _ended(self, now: int, body: AttemptEnded) -> None:
        gpus, planned_ms = self._held.pop(body.attempt)
        self.allocated += gpus * (now - planned_ms)
        self.busy += gpus * body.held_ms
        self.sold += gpus * body.charged_ms
        if self._tasks:
            for node, milli in self._tasks.pop(body.attempt, ()):
                self.sold -= milli * sum(until - since for since, until in self._booked.within(node, now - body.charged_ms, now))
        if body.fault == PREEMPTED:
            self.preemptions += 1
        if body.next == ENDED:
            self._world.courses.pop(body.job, None)
            self._job_ended(now, body)
        else:
            self.last_ms = now

    def _job_ended(self, now: int, body: AttemptEnded | JobEnded) -> None:
        self.plan_hash.over(body)
        self.finished += 1
        self.last_ms = now
        self._waiting.pop(body.job, None)
        self._parts.pop(body.job, None)

    def _count_unfinished(self) -> None:
        """Count what is held or booked at the end up to the last end of work."""
        last_ms = self.last_ms
        for attempt, (gpus, planned_ms) in self._held.items():
            held_ms = gpus * max(0, last_ms - planned_ms)
            self.allocated += held_ms
            self.busy += held_ms
            self.sold += held_ms
            for node, milli in self._tasks.get(attempt, ()):
                self.sold -= milli * sum(until - since for since, until in self._booked.within(node, planned_ms, last_ms))
        self.sold += self._booked.gpu_ms(self._gpus_of, last_ms) * WHOLE

    def result(self, *, violations: int = 0) -> Result:
        """Return the figures up to now."""
        world, state = self._world, self._world.state
        waits = sorted(self.waits_ms)
        self._count_unfinished()
        span_ms = max(0, self.last_ms - (self.first_ms or 0)) if self.finished else 0
        capacity = max(1, self._gpus * WHOLE * span_ms)
        charged = sum(balance for name, balance in state.ledger.balances.items() if name.endswith("/charged"))
        used_s = cpu_seconds()
        frontier = world.application.applier.frontier
        return Result(
            jobs=self.submitted,
            finished=self.finished,
            mean_wait_s=sum(waits) / max(1, len(waits)) / SECOND_MS,
            p50_wait_s=_rank(waits, 50),
            p99_wait_s=_rank(waits, 99),
            makespan_s=span_ms / SECOND_MS,
            sold=self.sold / capacity,
            allocated=self.allocated / capacity,
            busy=self.busy / capacity,
            stranded_gpu_h=0.0,
            shortfall_gpu_h=self._booked.shortfall_gpu_ms(self._gpus_of, max(self.last_ms, int(world.now))) / HOUR_MS,
            preemptions=self.preemptions,
            moves=self.moves,
            moves_gain_gpu_h=self.moves_gain / (WHOLE * HOUR_MS),
            energy_kwh=self.site_mj / MJ_PER_KWH if self.it_mj else None,
            pue=self.site_mj / self.it_mj if self.it_mj and self.has_plant else None,
            promises=self.promises,
            promises_broken=self.promises_broken,
            violations=violations,
            revenue_eur=charged / EURO,
            in_rack=self.gangs_in_rack / self.gangs if self.gangs else None,
            events=state.next_seq,
            plan_hash=self.plan_hash.hexdigest(),
            log_root=frontier.root().hex() if frontier.size else "",
            cpu_s=used_s,
            jobs_per_cpu_s=self.finished / used_s,
            peak_rss_mb=peak_rss_mb(),
        )


def _rank(ordered: list[int], percent: int) -> float:
    """Return a percentile in seconds by nearest rank, 0 of nothing."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] / SECOND_MS if ordered else 0.0
