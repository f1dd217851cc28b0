"""One story over two months, killed before and after each of its commits and once more while it recovers.

On the clock of the tests a kill costs no time, so every killed story must end exactly as the one that nobody killed:
same outcomes, same charges, same balances.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from eisbach.app import cancel_job, create_project, set_budget, submit_job
from eisbach.app.commands import SYSTEM, IdempotencyKey
from eisbach.core.jobs.request import JobSpec
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Batch
from eisbach.stores.memory import MemoryStore
from tests.app.factory import Factory, a_job, new_factory
from tests.app.invariants import check_all

HOUR_MS = 3_600_000
LOOK_MS = 12 * HOUR_MS
CORE_HOUR = 36_000 + 3_600


class Killed(BaseException):
    """What stands for kill -9 here: nothing may catch it."""


class DeadlyStore(MemoryStore):
    """Kills its process before or after commits with certain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.kill_at: set[int] = set()
        self.before = True

    def commit(self, batch: Batch, epoch: int) -> None:
        self.commits += 1
        is_last = self.commits in self.kill_at
        if is_last and self.before:
            raise Killed
        super().commit(batch, epoch)
        if is_last:
            raise Killed


@dataclass
class Story:
    """Steps that may be repeated when a kill left open whether they were done."""

    factory: Factory
    store: DeadlyStore
    jobs: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    lowered: int | None = None

    def play(self) -> None:
        """Do each step until it was done."""
        began = self.factory.clock.now()
        end = month_end(began)
        for step in self.steps(began, end):
            while not self.survives(step):
                while not self.survives(self.recover):
                    pass

    def survives(self, step: Callable[[], Any]) -> bool:
        """Do a step; return whether nobody was killed."""
        try:
            step()
        except Killed:
            self.kills += 1
            return False
        return True

    def recover(self) -> None:
        """Open the factory as a new process does, and let it look at the engine."""
        self.factory = self.factory.restart(crash=True)
        self.factory.run_rounds()

    def steps(self, began: int, end: int) -> list[Callable[[], Any]]:
        """Return the story."""
        return [
            lambda: self.submit("long", a_job("sleep 500000", limit_s=600_000)),
            lambda: self.submit("gang", a_job("sleep 7200", nodes=2, limit_s=10_000)),
            lambda: self.submit("fails", a_job("sleep 600; exit 3", attempts=3, limit_s=10_000)),
            lambda: self.submit("big", a_job("sleep 60", cpus=8, limit_s=1_000)),
            lambda: self.submit("never", a_job("sleep 60", cpus=8, limit_s=1_000)),
            lambda: self.until(began + 90 * 60_000),
            lambda: self.cancel("never"),
            lambda: self.submit("cancelled", a_job("sleep 80000", limit_s=90_000)),
            lambda: self.until(began + 4 * HOUR_MS),
            lambda: self.cancel("cancelled"),
            lambda: self.until(end - 2 * HOUR_MS),
            lambda: self.submit("over the turn", a_job("sleep 40000", limit_s=90_000)),
            lambda: self.submit("stopped", a_job("sleep 80000", limit_s=90_000)),
            lambda: self.until(end + HOUR_MS),
            lambda: self.lower_budget(5 * CORE_HOUR),
            lambda: self.until(end + 4 * HOUR_MS),
            lambda: self.submit("unpaid", a_job("sleep 600", limit_s=11 * 3600)),
            lambda: self.set_budget(20_000_000),
            lambda: self.until(end + 130 * HOUR_MS),
        ]

    def submit(self, name: str, spec: JobSpec) -> None:
        key = IdempotencyKey(scope="jobs", key=name, body_digest=name)
        command = submit_job.command(SYSTEM, project=self.factory.project, spec=spec)
        answer = self.factory.perform(command, key)
        assert not isinstance(answer, Refusal), str(answer)
        self.jobs[name] = answer["job"]

    def cancel(self, name: str) -> None:
        answer = self.factory.perform(cancel_job.command(SYSTEM, job=self.jobs[name]))
        assert not isinstance(answer, Refusal) or answer.reason is Reason.ALREADY_ENDED

    def lower_budget(self, missing: int) -> None:
        """Set the budget so much below what is charged and reserved."""
        if self.lowered is None:
            figures = create_project.figures(self.factory.app.applier.state, self.factory.project, self.factory.clock.now())
            self.lowered = figures["charged"] + figures["reserved"] - missing
        self.set_budget(self.lowered)

    def set_budget(self, micro_eur: int) -> None:
        command = set_budget.command(SYSTEM, project=self.factory.project, budget_micro_eur=micro_eur)
        assert not isinstance(self.factory.perform(command), Refusal)

    def until(self, instant: int) -> None:
        """Let time pass up to an instant, with a look of the rounds now and then."""
        while self.factory.clock.now() < instant:
            self.factory.pass_time(min(LOOK_MS, instant - self.factory.clock.now()))
            self.factory.run_rounds()
        self.factory.run_rounds()

    def told(self) -> dict[str, Any]:
        """Return what became of everything, ids left out."""
        rows = {name: self.factory.job(job) for name, job in self.jobs.items()}
        outcomes = {name: (row["state"], row["outcome"], row["charged"]) for name, row in rows.items()}
        project = self.factory.project
        balances = self.factory.app.applier.state.ledger.balances
        return outcomes | {name.replace(project, "project"): amount for name, amount in balances.items() if amount}


def play(folder: Any, kill_at: set[int], before: bool) -> Story:
    """Play the story, with kills counted from its first commit."""
    folder.mkdir()
    store = DeadlyStore()
    factory = new_factory(folder, store=store, budget_eur=20)
    store.commits, store.before, store.kill_at = 0, before, kill_at
    story = Story(factory, store)
    story.play()
    return story


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory) -> tuple[dict[str, Any], int]:
    """What becomes of everything when nobody is killed, and how many commits that takes."""
    story = play(tmp_path_factory.mktemp("unkilled") / "story", set(), before=True)
    check_all(story.factory)
    return story.told(), story.store.commits


def test_the_story_has_every_turn(unkilled):
    told, commits = unkilled
    outcomes = {name: value[1] for name, value in told.items() if isinstance(value, tuple)}
    assert outcomes == {
        "long": "succeeded",
        "gang": "succeeded",
        "fails": "failed",
        "big": "succeeded",
        "never": "cancelled",
        "cancelled": "cancelled",
        "over the turn": "succeeded",
        "stopped": "out_of_budget",
        "unpaid": "succeeded",
    }
    assert 50 < commits < 1000


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_story_that_is_killed_at_a_commit_and_at_the_next_ends_as_if_it_was_not(unkilled, tmp_path, before, part):
    told, commits = unkilled
    for number in range(1 + part, commits, 2):
        story = play(tmp_path / str(number), {number, number + 1}, before)
        assert story.kills == 2, number
        check_all(story.factory)
        assert story.told() == told, f"killed {'before' if before else 'after'} commit {number}"
