"""What must hold at the end, whatever crashed: read from the store itself, after the server has stopped."""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from eisbach import wiring
from eisbach.app import events as e
from eisbach.app.event_codec import OpenedEvent, open_event
from eisbach.app.events_usage import Settled, UsageSettledTogether, entries_of
from eisbach.app.recover_state import recover
from eisbach.app.snapshot import fingerprint
from eisbach.core.jobs.lifecycle import Fault
from eisbach.core.ledger.account import may_be_negative
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.ports.store import Store
from eisbach.stores.sql.opening import open_sqlite
from tests.faults.harness import ROOT, RealFactory

PAGE = 5_000


@dataclass
class JobStory:
    """What the log says about one job."""

    prices: tuple[int, ...]
    cap: int
    ends: list[str] = field(default_factory=list)
    """its outcomes: one, or the job ended more or less than once"""
    shape: int = 0
    weight: int = 0
    attempts: list[str] = field(default_factory=list)
    own_failures: int = 0
    reserved: int = 0
    charged: int = 0
    said_charged: int = 0


def read_events(store: Store) -> list[OpenedEvent]:
    """Return the whole log."""
    found: list[OpenedEvent] = []
    while page := store.events(after_seq=len(found) - 1, limit=PAGE):
        found += [open_event(sealed.data) for sealed in page]
    return found


def check_money(log: list[OpenedEvent]) -> dict[str, JobStory]:
    """Replay the transfers by hand and hold them to the held times; return each job's story."""
    balances: Counter[str] = Counter()
    stories: dict[str, JobStory] = {}
    held: dict[str, str] = {}
    for event in log:
        body = event.body
        for debit, credit, amount, kind in getattr(body, "transfers", ()):
            assert amount > 0, event
            balances[debit] -= amount
            balances[credit] += amount
            assert balances[debit] >= 0 or may_be_negative(debit), f"{debit} falls to {balances[debit]} in {event}"
            job = getattr(body, "job", None)
            if job is not None and kind != "withdraw":
                story = stories.get(job) or stories.setdefault(job, JobStory(body.prices, body.cap))
                story.reserved += {"reserve": amount, "credit": amount, "settle": -amount, "void": -amount}[kind]
                story.charged += {"settle": amount, "credit": -amount}.get(kind, 0)
        match body:
            case UsageSettledTogether():
                check_together(stories, body)
            case e.JobSubmitted():
                stories.setdefault(body.job, JobStory(body.prices, body.cap))
            case e.AttemptPlanned():
                assert body.job not in held, f"{body.job} has two attempts at once: {held[body.job]} and {body.attempt}"
                held[body.job] = body.attempt
                stories[body.job].shape = body.shape
                stories[body.job].attempts.append(body.attempt)
            case e.AttemptEnded():
                assert held.pop(body.job) == body.attempt, f"{body.attempt} ended and was not the job's attempt"
                check_end(stories[body.job], body)
            case e.JobEnded():
                stories[body.job].ends.append(body.outcome)
    assert sum(balances.values()) == 0
    return stories


def check_together(stories: dict[str, JobStory], body: UsageSettledTogether) -> None:
    """Give each job its part of a common settlement; the parts are the sum that the ledger moved."""
    for settled in map(Settled._make, entries_of(body)):
        story = stories[settled.job]
        story.reserved -= settled.amount
        story.charged += settled.amount
        assert story.charged == settled.job_charged, body
    assert sum(body.amounts) == sum(amount for _, _, amount, _ in body.transfers), body


def check_end(story: JobStory, body: e.AttemptEnded) -> None:
    """Hold one end to the charge function: each chargeable millisecond once, nothing for faults of ours."""
    fault = Fault(body.fault)
    assert body.charged_ms == (0 if fault.is_ours else body.held_ms), body
    story.weight += story.prices[story.shape] * body.charged_ms
    story.own_failures += fault is Fault.CUSTOMER
    story.said_charged = body.job_charged
    assert story.charged == body.job_charged == story.weight // HOUR_MS, body
    assert story.charged <= story.cap
    if body.next == "ended":
        story.ends.append(body.job_outcome)
        assert story.reserved == 0, body


def check_starts(factory: RealFactory, stories: dict[str, JobStory]) -> None:
    """Each attempt that began began once, on each rank once, and the log planned it."""
    lines = factory.starts()
    twice = {line: count for line, count in Counter(lines).items() if count > 1}
    assert not twice, f"attempts began twice: {twice}"
    planned = {attempt for story in stories.values() for attempt in story.attempts}
    assert {line.split()[0] for line in lines} <= planned


def check_home(home: Path) -> dict[str, JobStory]:
    """Check a home that no server uses; return each job's story."""
    assert wiring.check(home) == []
    store = open_sqlite(home / wiring.DATABASE)
    try:
        stories = check_money(read_events(store))
        whole, quick = recover(store, from_snapshot=False), recover(store)
        assert fingerprint(whole.state) == fingerprint(quick.state)
        assert whole.state.ledger.total() == 0
        for job, story in stories.items():
            assert len(story.ends) == (0 if job in whole.state.scheduler.jobs else 1), f"{job} ended {story.ends}"
    finally:
        store.close()
    return stories


def verify_log(factory: RealFactory) -> None:
    """Have the whole log verified by the script that outsiders use; the server must run."""
    key = factory.made("GET", "/v1/audit/head")["key"]
    bundle = factory.folder / "bundle.jsonl"
    bundle.write_bytes(factory.made("GET", "/v1/audit/export"))
    command = [sys.executable, str(ROOT / "scripts" / "verify_bundle.py"), str(bundle), "--key", key]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "VERIFIED" in verified.stdout
