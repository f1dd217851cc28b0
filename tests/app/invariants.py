"""What must hold of a factory after each step, computed apart from the code that makes it so.

What holds of any state stands in twin/invariants.py; here is what also needs rows, an engine, invoices and the whole log.
"""

from collections import Counter
from itertools import pairwise
from typing import Any

from eisbach.app import explain_job, read_invoices
from eisbach.app.check_store import check_store
from eisbach.app.event_codec import open_event
from eisbach.app.events import AttemptEnded, AttemptPlanned, JobEnded, JobStopping, JobSubmitted, UsageSettled
from eisbach.app.events_billing import InvoiceCredited, InvoiceIssued
from eisbach.app.recover_state import recover
from eisbach.app.snapshot import decode_state, encode_state, fingerprint
from eisbach.app.state import FactoryState
from eisbach.core.billing.invoice import Document
from eisbach.core.booking.settle import due_by, price_of
from eisbach.core.capacity.calendar import EntryKind
from eisbach.core.capacity.health import Health
from eisbach.core.jobs.lifecycle import Fault, JobState, StopCause
from eisbach.core.ledger.transfer import TransferKind
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.twin import invariants
from tests.app.factory import Factory


def check_step(factory: Factory) -> None:
    """What costs little and is checked after each step."""
    state = factory.app.applier.state
    if invariants.leaves_stops(state.scheduler, factory.clock.now()):  # to the next cycle
        factory.settle()
    assert list(invariants.of_state(state)) == []
    check_capacity(state)
    check_nodes(state, factory.clock.now())
    check_bookings(factory)
    check_jobs(factory)
    assert list(invariants.at_rest(state.scheduler, factory.clock.now())) == []


def check_all(factory: Factory) -> None:
    """Everything, the whole log included."""
    check_step(factory)
    assert check_store(factory.store) == [], "every row follows from the log, and the log verifies"
    check_rebuilt(factory)
    check_history(factory)
    check_invoices(factory)


def check_capacity(state: FactoryState) -> None:
    """Invariant 1: no share is held twice, and what is free is what nobody holds."""
    fleet, held = state.scheduler.fleet, Counter[tuple[str, str]]()
    gpus: list[tuple[str, int]] = []
    for job in state.scheduler.holding.values():
        for share in job.shares:
            shape = job.shapes[job.shape]
            assert (share.cpu_milli, share.memory_mib, len(share.gpus)) == (shape.cpu_milli, shape.memory_mib, shape.gpus)
            held[share.node, "cpu"] += share.cpu_milli
            held[share.node, "memory"] += share.memory_mib
            gpus += [(share.node, gpu) for gpu in share.gpus]
    assert len(gpus) == len(set(gpus)), "no GPU is held twice"
    for name, node in fleet.nodes.items():
        assert node.free_cpu_milli == node.cpu_milli - held[name, "cpu"] >= 0
        assert node.free_memory_mib == node.memory_mib - held[name, "memory"] >= 0
        taken = {gpu for owner, gpu in gpus if owner == name}
        assert node.free_gpus == [gpu for gpu in range(node.gpus) if gpu not in taken]
    for name in fleet.nodes:
        asked = {share.tenant for job in state.scheduler.holding.values() for share in job.shares if share.node == name}
        assert len(asked) <= 1, f"{name} is shared by {asked}"
        assert fleet.nodes[name].tenant == next(iter(asked), "")


def check_nodes(state: FactoryState, now: int) -> None:
    """A node takes work if and only if nothing speaks against it, and nobody is where a node is lost or closed."""
    health, holding = state.health, state.scheduler.holding.values()
    lost = {name for name, mark in health.marks.items() if mark.health is Health.LOST}
    closed = {name for one in health.closures.values() if one.from_ms <= now < one.until_ms for name in one.nodes}
    assert not lost & {share.node for job in holding for share in job.shares}
    assert all(now < one.until_ms for one in health.closures.values()), "what is over has ended"
    assert all(one.has_begun == (one.from_ms <= now) for one in health.closures.values())
    for name, node in state.scheduler.fleet.nodes.items():
        is_ill = name in health.marks or name in closed or (not node.removed and node.from_ms > now)
        assert node.available is not (node.drained or node.removed or is_ill)
        assert node.drained or name not in health.cordoned
    for promise in state.scheduler.calendar.promises.values():
        for name in promise.nodes:
            node = state.scheduler.fleet.nodes[name]
            is_bad = name in health.marks or node.drained or node.removed
            assert not is_bad, "no promise stays on a bad node"
            assert not any(name in one.nodes and one.meets(promise.from_ms, promise.until_ms) for one in health.closures.values())
    for job in holding:
        if job.state is not JobState.STOPPING:
            nodes = {share.node for share in job.shares}
            is_untold = job.releases_ms() <= now  # it is over, and its engine has told nobody yet
            assert is_untold or not nodes & closed, "a closed node is empty"
            for one in health.closures.values():
                if nodes & set(one.nodes):
                    ends_in_time = job.running_ms is not None and job.releases_ms() <= one.from_ms
                    assert ends_in_time or now < one.from_ms - job.grace_ms, "who would overrun a closure leaves in time"


def check_bookings(factory: Factory) -> None:
    """A booking is paid for what is past and has the rest set aside; its nodes are in the calendar, and in nobody else's."""
    state = factory.app.applier.state
    entries = {entry.id: entry for entry in state.scheduler.calendar if entry.kind is EntryKind.BOOKING}
    for name, booking in state.booking.bookings.items():
        assert booking.charged == due_by(booking.stretches, booking.settled_ms)
        assert booking.charged + sum(booking.reserved.values()) == price_of(booking.stretches)
        assert booking.credited >= 0  # spot that is thrown back later takes back what it paid; that is set off against later credits
        assert (booking.stretches[0].from_ms, booking.stretches[-1].until_ms) == (booking.from_ms, booking.until_ms)
        entry = entries.pop(name)
        assert (entry.from_ms, entry.until_ms, entry.nodes) == (booking.from_ms, booking.until_ms, booking.nodes)
        row = factory.store.row("bookings", name)
        assert row is not None
        assert (row["charged"], row["credited"], row["price"]) == (booking.charged, booking.credited, price_of(booking.stretches))
        assert (row["nodes"].split(), row["until_ms"]) == (list(booking.nodes), booking.until_ms)
    assert set(entries) == set(state.booking.holds), "nothing else is entered as booked"
    for job in state.scheduler.holding.values():
        if job.booking:
            booked = state.booking.bookings.get(job.booking)
            assert booked is None or {share.node for share in job.shares} <= set(booked.nodes), "it runs on its booking's nodes"


def check_jobs(factory: Factory) -> None:
    """Rows say what the state says, and whoever waits says on what."""
    state, now = factory.app.applier.state, factory.clock.now()
    rows: dict[str, Any] = {}
    cursor = None
    while True:
        page = factory.store.rows("jobs", {}, cursor=cursor, limit=1000)
        rows |= {row["job"]: row for row in page.rows}
        cursor = page.next_cursor
        if cursor is None:
            break
    assert {name for name, row in rows.items() if JobState(row["state"]) is not JobState.ENDED} == set(state.scheduler.jobs)
    for name, job in state.scheduler.jobs.items():
        row, account = rows[name], state.accounts[name]
        assert row["state"] == job.state.value
        assert (row["charged"], row["charged_ms"]) == (account.charged, account.charged_ms)
        assert (row["attempts"], row["outcome"], row["ended_ms"]) == (job.attempts, "", None)
        answer = explain_job.question(job=name)(state, now)
        assert answer is not None
        assert answer["text"], f"{name} says nothing"
        if job.state is JobState.WAITING:
            assert answer["reason"], f"{name} waits without a reason"
    for row in rows.values():
        if row["job"] not in state.scheduler.jobs:
            assert row["outcome"], f"{row['job']} ended somehow"
            assert row["ended_ms"] is not None


def indexes(state: FactoryState) -> Any:
    """What a fingerprint does not show and decisions follow: the order of queues."""
    scheduler = state.scheduler
    return (
        [job for job, _ in scheduler.queue.walk({}, scheduler.fair_share)],
        dict(scheduler.unfunded),
        sorted(scheduler.holding),
        {name: vars_of(node) for name, node in scheduler.fleet.nodes.items()},
        sorted((entry.kind.value, entry.id, entry.from_ms, entry.until_ms, entry.nodes) for entry in scheduler.calendar),
    )


def vars_of(value: Any) -> tuple[Any, ...]:
    """The fields of a slotted value."""
    return tuple(repr(getattr(value, name)) for name in value.__slots__)


def check_rebuilt(factory: Factory) -> None:
    """Invariant 9: the state from the whole log, from the newest snapshot, and through its own bytes is the live one."""
    state, now = factory.app.applier.state, factory.clock.now()
    state.scheduler.wake(now)
    for rebuilt in (
        recover(factory.store, from_snapshot=False).state,
        recover(factory.store).state,
        decode_state(encode_state(state)),
    ):
        rebuilt.scheduler.wake(now)
        assert fingerprint(rebuilt) == fingerprint(state)
        assert indexes(rebuilt) == indexes(state)


def check_history(factory: Factory) -> None:
    """Invariants 2 and 4 over the whole log: one start an attempt, one end a job, charges that follow from held time."""
    events = [open_event(sealed.data) for sealed in events_of(factory)]
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(events))
    submitted = {one.body.job: one.body for one in events if isinstance(one.body, JobSubmitted)}
    planned = {one.body.attempt: one.body for one in events if isinstance(one.body, AttemptPlanned)}
    ended = Counter(one.body.attempt for one in events if isinstance(one.body, AttemptEnded))
    assert all(count == 1 and attempt in planned for attempt, count in ended.items()), "an attempt ends once"
    finals = Counter[str]()
    weights, clipped = Counter[str](), set()
    for one in events:
        body = one.body
        if isinstance(body, JobEnded) or (isinstance(body, AttemptEnded) and JobState(body.next) is JobState.ENDED):
            finals[body.job] += 1
        if isinstance(body, AttemptEnded):
            weights[body.job] += submitted[body.job].prices[planned[body.attempt].shape] * body.charged_ms
            assert 0 <= body.charged_ms <= body.held_ms
            if Fault(body.fault).is_ours:
                assert (body.charged, body.charged_ms) == (0, 0), "faults of ours cost nothing"
        if isinstance(body, JobStopping) and StopCause(body.cause) is StopCause.BUDGET:
            clipped.add(body.job)
        if isinstance(body, UsageSettled) and body.next_period != body.period:
            kept = sum(amount for _, _, amount, kind in body.transfers if TransferKind(kind) is TransferKind.RESERVE)
            if kept < submitted[body.job].cap - body.job_charged:
                clipped.add(body.job)  # the new month's budget did not reach
    active = set(factory.app.applier.state.scheduler.jobs)
    assert set(finals) == set(submitted) - active, "an accepted job ends"
    assert all(count == 1 for count in finals.values()), "in one final state"
    for job in finals:
        row = factory.job(job)
        attempts = factory.attempts(job)
        assert row["charged"] == sum(one["charged"] for one in attempts) == ledger_charge(factory, job)
        assert row["charged_ms"] == sum(one["charged_ms"] for one in attempts)
        if job in clipped:
            assert row["charged"] <= weights[job] // HOUR_MS, "out of money: never more than held time"
        else:
            assert row["charged"] == weights[job] // HOUR_MS, f"{job}: every chargeable millisecond once"
    orders = {name for name, one in factory.engine._attempts.items() if one.ranks}
    assert orders <= set(planned), "the engine runs only what the log planned"


def ledger_charge(factory: Factory, job: str) -> int:
    """What a job was charged, by its transfers."""
    cursor, total = None, 0
    while True:
        page = factory.store.rows("transfers", {"job": job}, cursor=cursor, limit=1000)
        for row in page.rows:
            total += row["amount"] * (row["credit"].endswith("/charged") - row["debit"].endswith("/charged"))
        cursor = page.next_cursor
        if cursor is None:
            return total


def events_of(factory: Factory) -> list[Any]:
    """The whole log."""
    found: list[Any] = []
    while page := factory.store.events(after_seq=len(found) - 1, limit=5000):
        found += page
    return found


def check_invoices(factory: Factory) -> None:
    """Each charge is on one document at most, numbers have no gaps, and every file can be made again."""
    events = [open_event(sealed.data) for sealed in events_of(factory)]
    documents = [one.body for one in events if isinstance(one.body, InvoiceIssued | InvoiceCredited)]
    numbers = Counter[str]()
    for body in documents:
        year, _, count = body.invoice.partition("-")
        assert int(count) == numbers[year] + 1, "numbers have no gaps"
        numbers[year] += 1
    issued = [body for body in documents if isinstance(body, InvoiceIssued)]
    owners = {project.project: project.organisation for project in factory.app.applier.state.projects.values()}
    sums = Counter[str]()
    for one in events:
        for debit, credit, amount, _ in getattr(one.body, "transfers", ()):
            for name, sign in ((credit, 1), (debit, -1)):
                if not name.endswith("/charged"):
                    continue
                project, period, _ = name.split("/")
                bills = [
                    body.invoice
                    for body in issued
                    if (body.organisation, body.period) == (owners[project], period) and body.from_seq <= one.seq <= body.to_seq
                ]
                assert len(bills) <= 1, "no transfer is billed twice"
                if bills:
                    sums[bills[0]] += sign * amount
    for body in issued:
        assert abs(sums[body.invoice]) == body.net_micro_eur
        assert abs(body.net_cents * 10_000 - body.net_micro_eur) <= 5_000, "rounded once"
    credited_cents = Counter[str]()
    for body in documents:
        if isinstance(body, InvoiceCredited):
            credited_cents[body.refers_to] += body.net_cents
        row = factory.store.row("invoices", body.invoice)
        assert row is not None
        again = read_invoices.document_of(factory.store, body.invoice)
        assert isinstance(again, Document)
        assert sum(line.cents for line in again.lines) == body.net_cents
    assert all(credited_cents[body.invoice] <= body.net_cents for body in issued), "never more taken back than billed"
    for body in documents[-2:]:
        office = factory.app.office
        assert office is not None
        again = read_invoices.document_of(factory.store, body.invoice)
        assert isinstance(again, Document)
        assert read_invoices.digest_of(office.documents.make(again)) == body.file_digest
