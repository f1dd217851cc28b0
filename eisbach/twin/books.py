"""The books that a checker keeps of its own: what events alone say of who holds what and who paid for it.

Nothing here asks the state or uses what decides: a mistake there shows because the two accounts differ.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from eisbach.app.events import (
    AttemptEnded,
    AttemptPlanned,
    AttemptRunning,
    Body,
    JobEnded,
    JobStopping,
    JobSubmitted,
    NodeChanged,
    NodeDeclared,
    NodeDrained,
    SiteChanged,
    SiteDeclared,
    UsageSettled,
)
from eisbach.app.events_health import ClosureAnnounced, ClosureBegun, ClosureEnded, NodeMarked
from eisbach.app.events_policy import RuleSet
from eisbach.app.events_usage import UsageSettledTogether, entries_of
from eisbach.core.capacity.health import ClosureEnd, Health
from eisbach.core.jobs.lifecycle import TRANSITIONS, JobState, StopCause
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger.account import may_be_negative
from eisbach.core.ledger.transfer import TransferKind
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason
from eisbach.twin.booking_books import BookingBooks
from eisbach.twin.mig_books import MigBooks
from eisbach.twin.promise_books import PromiseBooks

OURS = ("operator", "hardware", "preemption")
"""Whose faults cost the customer nothing (DESIGN, life of a job)."""
WHOLE_GPU = 1000
"""Thousandths of a GPU."""


@dataclass(slots=True)
class NodeBook:
    """A node as its events say it, and what of it is held: milli-cores, MiB, thousandths of each GPU."""

    site: str
    pool: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    from_ms: int
    flavour: str
    is_drained: bool = False
    is_healthy: bool = True
    is_lost: bool = False
    closures: set[str] = field(default_factory=set)
    """those that have begun"""
    held_cpu_milli: int = 0
    held_memory_mib: int = 0
    held_gpu_milli: Counter[int] = field(default_factory=Counter)

    def takes_work(self, at_ms: int) -> bool:
        """Return whether something may start on it."""
        return not self.is_drained and self.is_healthy and not self.closures and at_ms >= self.from_ms


@dataclass(slots=True)
class JobBook:
    """A job as its events say it. `weight` is the sum of price x charged milliseconds of its attempts that have ended."""

    submitted: JobSubmitted
    state: JobState = JobState.WAITING
    attempt: str = ""
    shape: int = 0
    weight: int = 0
    charged: int = 0
    paid: int = 0
    """what transfers charged it for"""
    is_clipped: bool = False
    """its money ran out, so that it was charged less than it held"""


class Books:
    """Takes events in their order and yields in words what each of them breaks."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeBook] = {}
        self.jobs: dict[str, JobBook] = {}
        self.held: dict[str, tuple[tuple[str, int, int, tuple[int, ...], int], ...]] = {}
        """attempt -> of each task node, milli-cores, MiB, GPUs and thousandths of each"""
        self.job_of: dict[str, str] = {}
        """attempt that holds -> its job"""
        self.ends_ms: dict[str, int] = {}
        """attempt that holds -> when it is gone at the latest, as it was planned"""
        self.ended_attempts: set[str] = set()
        self.policy_version = -1
        """where the newest rule, or fact of a site, stands in the log"""
        self.closures: dict[str, tuple[str, ...]] = {}
        """announced and not over -> its nodes"""
        self.promises = PromiseBooks()
        self.bookings = BookingBooks()
        self.slices = MigBooks()
        self.balances: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.transitions: set[tuple[JobState, JobState]] = set()
        self.reasons: set[Reason] = set()

    def take(self, seq: int, at_ms: int, body: Body) -> Iterator[str]:
        """Take an event and where it stands in the log; yield every invariant that it breaks."""
        yield from self.bookings.first_instants(at_ms)
        yield from self._transfers(body)
        yield from self.promises.take(at_ms, body)
        yield from self.bookings.take(body)
        if isinstance(body, AttemptPlanned):
            yield from self._planned(at_ms, body)
        elif isinstance(body, AttemptEnded):
            yield from self._ended(body)
        elif isinstance(body, JobSubmitted):
            if body.job in self.jobs:
                yield f"2: {body.job} is accepted twice"
            self.jobs[body.job] = JobBook(body)
        elif isinstance(body, AttemptRunning):
            yield from self._step(body.job, JobState.STOPPING if body.is_stopping else JobState.RUNNING)
        elif isinstance(body, JobStopping):
            yield from self._step(body.job, JobState.STOPPING)
            self.bookings.stopping(at_ms, body)
            if StopCause(body.cause) is StopCause.BUDGET:
                self.jobs[body.job].is_clipped = True
        elif isinstance(body, JobEnded):
            yield from self._step(body.job, JobState.ENDED)
            self.outcomes[body.outcome] += 1
            self._noted(body.reason)
        elif isinstance(body, UsageSettled):
            yield from self._settled(body)
        elif isinstance(body, UsageSettledTogether):
            yield from self._settled_together(body)
        elif isinstance(body, RuleSet | SiteDeclared | SiteChanged):
            self.policy_version = seq
        else:
            self._node(body)

    def _node(self, body: Body) -> None:
        if isinstance(body, NodeDeclared):
            self.nodes[body.node] = NodeBook(body.site, body.pool, body.cpu_milli, body.memory_mib, body.gpus, body.from_ms, body.flavour)
        elif isinstance(body, NodeChanged):
            site = body.site or self.nodes[body.node].site
            before = self.nodes[body.node]
            self.nodes[body.node] = NodeBook(
                site, body.pool, body.cpu_milli, body.memory_mib, body.gpus, body.from_ms, body.flavour,
                is_drained=body.drained, is_healthy=before.is_healthy, is_lost=before.is_lost, closures=before.closures,
            )  # fmt: skip
        elif isinstance(body, NodeDrained):
            self.nodes[body.node].is_drained = body.drained or body.removed
        elif isinstance(body, NodeMarked):
            self.nodes[body.node].is_healthy = Health(body.health) is Health.HEALTHY
            self.nodes[body.node].is_lost = Health(body.health) is Health.LOST
        elif isinstance(body, ClosureAnnounced):
            self.closures[body.closure] = body.nodes
        elif isinstance(body, ClosureBegun):
            for name in self.closures[body.closure]:
                self.nodes[name].closures.add(body.closure)
        elif isinstance(body, ClosureEnded):
            for name in self.closures.pop(body.closure):
                self.nodes[name].closures.discard(body.closure)
                self.nodes[name].is_drained |= ClosureEnd(body.cause) is ClosureEnd.DRAINED

    def _step(self, job: str, after: JobState) -> Iterator[str]:
        known = self.jobs.get(job)
        if known is None:
            yield f"2: {job} goes on and was never accepted"
            return
        self.transitions.add((known.state, after))
        is_same = after is known.state is JobState.STOPPING  # asked again, for a graver cause
        if after not in TRANSITIONS[known.state] and not is_same:
            yield f"2: {job} goes from {known.state.value} to {after.value}"
        known.state = after

    def _planned(self, at_ms: int, body: AttemptPlanned) -> Iterator[str]:
        yield from self._step(body.job, JobState.STARTING)
        job = self.jobs.get(body.job)
        if job is None:
            return
        if body.attempt in self.held or body.attempt in self.ended_attempts:
            yield f"2: {body.attempt} is planned twice"
        if [task[0] for task in body.tasks] != list(range(job.submitted.nodes)):
            yield f"3: {body.attempt} starts {len(body.tasks)} of {job.submitted.nodes} tasks"
        if body.policy_version != self.policy_version:
            yield f"5: {body.attempt} was planned by the rules at {body.policy_version}, the newest stand at {self.policy_version}"
        if len({self.nodes[task[1]].site for task in body.tasks}) > 1:
            yield f"3: {body.attempt} is at several sites"
        if job.submitted.capacity_class != CapacityClass.SPOT.value:
            ends_ms = at_ms + body.limit_ms + job.submitted.grace_ms
            for name in self.bookings.against((task[1] for task in body.tasks), at_ms, ends_ms, job.submitted.booking):
                yield f"1: {body.attempt} starts where {name} is booked before it ends"
        else:
            self.bookings.spot_planned(at_ms, body.attempt, (task[1] for task in body.tasks))
        job.attempt, job.shape = body.attempt, body.shape
        cpu, memory, gpus, _ = job.submitted.shapes[body.shape]
        milli, mig = job.submitted.parts[body.shape] if job.submitted.parts else (WHOLE_GPU, "")
        tasks = tuple((task[1], task[2], task[3], tuple(task[4]), milli) for task in body.tasks)
        for node, task_cpu, task_memory, task_gpus, _ in tasks:
            if (task_cpu, task_memory, len(task_gpus)) != (cpu, memory, gpus):
                yield f"3: {body.attempt} holds on {node} what it did not ask for"
            yield from self._take(at_ms, body.attempt, node, task_cpu, task_memory, task_gpus, milli)
        if mig or milli < WHOLE_GPU:
            slots = body.slots if mig else (0,) * len(tasks)
            parts = zip(tasks, slots, strict=True)
            yield from self.slices.planned(
                body.attempt, (((node, on[0]), self.nodes[node].flavour, (mig, slot)) for (node, _, _, on, _), slot in parts)
            )
        self.held[body.attempt], self.job_of[body.attempt] = tasks, body.job
        self.ends_ms[body.attempt] = at_ms + body.limit_ms + job.submitted.grace_ms

    def _take(
        self, at_ms: int, attempt: str, name: str, cpu: int, memory: int, gpus: tuple[int, ...], milli: int
    ) -> Iterator[str]:
        node = self.nodes[name]
        if not node.takes_work(at_ms):
            yield f"1: {attempt} starts on {name}, which takes no work now"
        node.held_cpu_milli += cpu
        node.held_memory_mib += memory
        if node.held_cpu_milli > node.cpu_milli or node.held_memory_mib > node.memory_mib:
            yield f"1: {name} is held twice: {node.held_cpu_milli} of {node.cpu_milli}, {node.held_memory_mib} of {node.memory_mib} MiB"
        if len(set(gpus)) != len(gpus):
            yield f"1: {attempt} holds a GPU of {name} twice"
        for gpu in gpus:
            node.held_gpu_milli[gpu] += milli
            if not 0 <= gpu < node.gpus or node.held_gpu_milli[gpu] > WHOLE_GPU:
                yield f"1: GPU {gpu} of {name} is held {node.held_gpu_milli[gpu]} thousandths"

    def _ended(self, body: AttemptEnded) -> Iterator[str]:
        tasks = self.held.pop(body.attempt, None)
        if tasks is None:
            yield f"2: {body.attempt} ends, and holds nothing"
            return
        self.ended_attempts.add(body.attempt)
        self.ends_ms.pop(body.attempt, None)
        self.job_of.pop(body.attempt, None)
        self.bookings.stays.pop(body.attempt, None)
        self.slices.ended(body.attempt)
        for name, cpu, memory, gpus, milli in tasks:
            node = self.nodes[name]
            node.held_cpu_milli -= cpu
            node.held_memory_mib -= memory
            for gpu in gpus:
                node.held_gpu_milli[gpu] -= milli
        job = self.jobs[body.job]
        if not 0 <= body.charged_ms <= max(0, body.held_ms):
            yield f"4: {body.attempt} is charged for {body.charged_ms} ms and held {body.held_ms}"
        if body.fault in OURS and (body.charged or body.charged_ms):
            yield f"4: {body.attempt} is charged {body.charged} for a fault of ours ({body.fault})"
        job.weight += job.submitted.prices[job.shape] * body.charged_ms
        yield from self._charged(job, body.job_charged)
        due = job.weight // HOUR_MS
        if body.job_charged > due or (body.job_charged < due and not job.is_clipped):
            yield f"4: {body.job} is charged {body.job_charged}, and {due} follows from the time it held"
        yield from self._step(body.job, JobState(body.next))
        job.attempt = ""
        self._noted(body.reason)
        if job.state is JobState.ENDED:
            self.outcomes[body.job_outcome] += 1
            if not body.job_outcome:
                yield f"2: {body.job} ends without an outcome"

    def _noted(self, reason: str) -> None:
        if reason:
            self.reasons.add(Reason(reason))

    def _settled(self, body: UsageSettled) -> Iterator[str]:
        job = self.jobs[body.job]
        if job.attempt != body.attempt:
            yield f"4: {body.attempt} is settled and does not hold"
        if body.next_period != body.period:
            kept = sum(amount for _, _, amount, kind in body.transfers if kind == TransferKind.RESERVE.value)
            if kept < job.submitted.cap - body.job_charged:
                job.is_clipped = True  # the new month's budget did not reach
        yield from self._meanwhile(job, body.charged_ms, body.job_charged)

    def _settled_together(self, body: UsageSettledTogether) -> Iterator[str]:
        moved = sum(amount for _, _, amount, _ in body.transfers)
        if moved != sum(body.amounts):
            yield f"4: a settlement moves {moved} for {sum(body.amounts)}"
        for attempt, name, held_ms, charged_ms, _, job_charged, _, amount, saved_ms in entries_of(body):
            job = self.jobs[name]
            if not 0 <= saved_ms <= held_ms:
                yield f"2: {attempt} has saved {saved_ms} ms of the {held_ms} that it held"
            if job.attempt != attempt:
                yield f"4: {attempt} is settled and does not hold"
            job.paid += amount
            yield from self._meanwhile(job, charged_ms, job_charged)

    def _meanwhile(self, job: JobBook, charged_ms: int, job_charged: int) -> Iterator[str]:
        weight = job.weight + job.submitted.prices[job.shape] * charged_ms
        if job_charged > weight // HOUR_MS:
            name = job.submitted.job
            yield f"4: {name} is charged {job_charged} meanwhile, and {weight // HOUR_MS} follows from the time it held"
        yield from self._charged(job, job_charged)

    def _charged(self, job: JobBook, charged: int) -> Iterator[str]:
        name = job.submitted.job
        if job.paid != charged:
            yield f"4: transfers charge {name} with {job.paid}, and its events say {charged}"
        if charged > job.submitted.cap:
            yield f"4: {name} is charged {charged}, above its ceiling of {job.submitted.cap}"
        job.charged = charged

    def _transfers(self, body: Body) -> Iterator[str]:
        transfers = getattr(body, "transfers", ())
        if not transfers:
            return
        job = self.jobs.get(getattr(body, "job", ""))
        for debit, credit, amount, _ in transfers:
            if amount <= 0:
                yield f"4: a transfer from {debit} to {credit} moves {amount}"
            self.balances[debit] -= amount
            self.balances[credit] += amount
            if self.balances[debit] < 0 and not may_be_negative(debit):
                yield f"4: {debit} is overspent: {self.balances[debit]}"
            if job is not None:
                job.paid += amount * (credit.endswith("/charged") - debit.endswith("/charged"))
