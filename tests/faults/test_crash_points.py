"""The server is killed with -9 at every crash point, twice, and the next one goes on as if nothing had been.

Each test takes the points of one group one after another through one home: a server that is armed, a fresh set of jobs
and the repetition of whatever was not answered, the kill, the same once more, then the next point. In the end every
job has the outcome that it would have had without any of it.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from eisbach.ports.crash import POINTS
from tests.faults.end_checks import check_home, check_starts, verify_log
from tests.faults.harness import RealFactory, Unanswered, a_factory, wait_until
from tests.faults.test_uploads import DATA_POINTS

GROUPS = {
    "batches": [
        "applier.before_commit",
        "applier.before_commit:5",
        "applier.before_commit:11",
        "applier.after_commit:3",
        "applier.after_commit:7",
        "applier.after_commit:13",
        "applier.after_answers:4",
        "applier.after_answers:12",
    ],
    "submit": ["submit.before_commit", "submit.after_commit", "start.before_commit", "start.after_commit"],
    "start": ["dispatch.before_start", "dispatch.after_start", "run.before_commit", "run.after_commit"],
    "stop": ["stop.before_commit", "stop.after_commit", "dispatch.before_stop"],
    "end": ["observe.before_record", "end.before_commit", "end.after_commit", "dispatch.before_forget"],
    "settle": ["settle.before_commit", "settle.after_commit"],
    "recover": [
        "recover.before_leadership",
        "recover.after_leadership",
        "recover.before_token",
        "recover.before_reconcile",
    ],
}
ENGINE_GROUPS = {
    "engine_start": [
        "engine.order_written",
        "engine.answered",
        "engine.forked",
        "engine.supervisor_begun",
        "engine.locked",
        "engine.marked",
        "engine.tasks_ready",
    ],
    "engine_end": [
        "engine.tasks_running",
        "engine.stop_written",
        "engine.tasks_ended",
        "engine.outputs_kept",
        "engine.outcome_written",
        "engine.reported",
        "engine.forget_moved",
    ],
}
"""The engine's own tests show that each is reached; here the whole factory heals from it."""

HOURS_PASS_QUICKLY: dict[str, Any] = {"settle_every_ms": 50, "periods_ms": {"settle-usage": 50}}
HEALS_QUICKLY: dict[str, Any] = {"periods_ms": {"reconcile": 200}}
A_WHILE_S = 0.8


@dataclass
class Wanted:
    """A request that is repeated with its key until it is answered, and what must become of its job."""

    key: str
    task: dict[str, Any]
    outcome: str
    own_failures: int = 0
    is_cancelled: bool = False
    job: str = ""
    has_cancelled: bool = False
    has_ended: bool = False


@dataclass
class Customer:
    """Submits, cancels and repeats until it has its answers."""

    factory: RealFactory
    wanted: list[Wanted] = field(default_factory=list)

    def want_more(self, name: str) -> None:
        """Add a fresh set of jobs."""
        task = self.factory.task
        self.wanted += [
            Wanted(f"{name}-ok", task("sleep 0.3"), "succeeded"),
            Wanted(f"{name}-gang", task("sleep 0.2", num_nodes=2), "succeeded"),
            Wanted(f"{name}-fails", task("exit 3", retry=1), "failed", own_failures=2),
            Wanted(f"{name}-long", task("exec sleep 300"), "cancelled", own_failures=1, is_cancelled=True),
        ]

    def ask(self) -> None:
        """Send every request that has no answer yet; raise Unanswered when the server dies."""
        for one in self.wanted:
            if not one.job:
                one.job = self.factory.submit(one.task, one.key)
        for one in self.wanted:
            if one.is_cancelled and not one.has_cancelled:
                self.factory.wait_for_state(one.job, "running", "stopping", "ended")
                status, answer = self.factory.call("POST", f"/v1/jobs/{one.job}/cancel", key=f"{one.key}-cancel")
                assert status in (202, 409), answer
                one.has_cancelled = True

    def ask_until_it_dies(self) -> None:
        """Use a server that is going to die."""
        try:
            self.factory.furnish()
            self.ask()
        except Unanswered:
            return

    def ask_for_a_while(self) -> None:
        """Use a server whose agent, or each of whose supervisors, dies; what they cannot do is not waited for."""
        for one in self.wanted:
            one.job = one.job or self.factory.submit(one.task, one.key)
        deadline = time.monotonic() + A_WHILE_S
        while time.monotonic() < deadline:
            for one in self.wanted:
                if one.is_cancelled and not one.has_cancelled and self.factory.job(one.job)["state"] == "running":
                    self.factory.made("POST", f"/v1/jobs/{one.job}/cancel", key=f"{one.key}-cancel")
                    one.has_cancelled = True
            time.sleep(0.05)

    def wait_for_all(self) -> None:
        """Wait until every job has ended, as it should."""
        for one in self.wanted:
            if not one.has_ended:
                found = self.factory.wait_for_state(one.job, "ended")
                assert found["outcome"] == one.outcome, (one.key, found)
                one.has_ended = True


@pytest.mark.parametrize("group", GROUPS)
def test_server_dies_twice_at(group, zygote):
    with a_factory(zygote, cores=32) as factory:
        customer = Customer(factory)
        how = HOURS_PASS_QUICKLY if group == "settle" else {}
        for point in GROUPS[group]:
            for visit in ("first", "second"):
                customer.want_more(f"{point}-{visit}")
                if factory.start(point, **how):
                    customer.ask_until_it_dies()
                assert factory.wait_for_end() == -9, f"{point} was not reached: {factory.said()}"
        finish(factory, customer)


@pytest.mark.parametrize("group", ENGINE_GROUPS)
def test_every_agent_or_supervisor_dies_at(group, zygote):
    """Each agent or supervisor that this server starts dies there, one after the other, then those of the next do not."""
    with a_factory(zygote, cores=32) as factory:
        customer = Customer(factory)
        for point in ENGINE_GROUPS[group]:
            customer.want_more(point)
            assert factory.start(point, **HEALS_QUICKLY), factory.said()
            factory.furnish()
            customer.ask_for_a_while()
            factory.kill()
            factory.kill_agent()
            assert factory.start(**HEALS_QUICKLY), factory.said()
            customer.ask()
            customer.wait_for_all()
            factory.kill()
            factory.kill_agent()
        finish(factory, customer)


def finish(factory: RealFactory, customer: Customer) -> None:
    """Let a server that nobody kills bring everything to its end, then check all of it."""
    assert factory.start(**HEALS_QUICKLY), factory.said()
    factory.furnish()
    customer.ask()
    customer.wait_for_all()
    verify_log(factory)
    wait_until(lambda: nothing_left(factory), "attempts to be forgotten")
    factory.stop()
    assert factory.status == 0, factory.said()
    stories = check_home(factory.home)
    assert set(stories) == {one.job for one in customer.wanted}, "a job was made twice, or was lost"
    for one in customer.wanted:
        assert stories[one.job].own_failures == one.own_failures, (one.key, stories[one.job])
    check_starts(factory, stories)


def nothing_left(factory: RealFactory) -> bool:
    """Return whether the engine was told to forget every attempt."""
    return not any((factory.home / "attempts").iterdir())


def test_every_crash_point_has_its_test():
    tried = [point for groups in (GROUPS, ENGINE_GROUPS) for group in groups.values() for point in group]
    assert sorted({point.partition(":")[0] for point in tried} | set(DATA_POINTS)) == sorted(POINTS)
