"""Twenty kills with -9 at random instants under 300 jobs; the seed is printed and may be given (EISBACH_TEST_SEED)."""

import os
import random
import signal
import threading
import time
from contextlib import suppress

import pytest

from tests.faults.end_checks import JobStory, check_home, check_starts, verify_log
from tests.faults.harness import RealFactory, Unanswered, a_factory, agents_of, wait_until

JOBS = 300
KILLS = 20
PERIODS_MS = {"reconcile": 500, "settle-usage": 200}
EVERYTHING = {"periods_ms": PERIODS_MS, "settle_every_ms": 100}


class Killer:
    """Kills the server, the agent or both after a random time, on a thread of its own."""

    def __init__(self, factory: RealFactory, chance: random.Random) -> None:
        self._factory = factory
        self._victims = chance.choice(["server", "server", "server", "both", "agent then server"])
        self._after_s = chance.uniform(0.0, 1.5)
        self._pid = factory.pid
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        deadline = time.monotonic() + self._after_s
        while time.monotonic() < deadline:
            time.sleep(0.001)
        if self._victims != "server":
            for pid in agents_of(self._factory.home):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._victims == "agent then server":
            deadline = time.monotonic() + self._after_s
            while time.monotonic() < deadline:
                time.sleep(0.001)
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it has killed."""
        self._thread.join()


class Crowd:
    """Customers of 300 jobs who repeat what was not answered."""

    def __init__(self, factory: RealFactory, chance: random.Random) -> None:
        self._factory, self._chance = factory, chance
        self.tasks = [self._task() for _ in range(JOBS)]
        self.jobs: dict[int, str] = {}
        self.cancelled: set[int] = set()

    def _task(self) -> tuple[dict, str]:
        chance, task = self._chance, self._factory.task
        kind = chance.choice(["quick", "quick", "slow", "gang", "fails", "retries", "cancelled"])
        match kind:
            case "quick":
                return task("true"), "succeeded"
            case "slow":
                return task(f"sleep {chance.uniform(0.1, 2):.2f}"), "succeeded"
            case "gang":
                return task(f"sleep {chance.uniform(0, 0.5):.2f}", num_nodes=chance.randint(2, 4)), "succeeded"
            case "fails":
                return task("exit 7"), "failed"
            case "retries":
                return task('[ "$EISBACH_ATTEMPT_NUMBER" -ge 2 ] || exit 5', retry=10), "succeeded"
            case _:
                return task("exec sleep 1000"), "cancelled"

    def act(self, until: int) -> None:
        """Submit up to so many jobs and cancel some, all with keys; raise Unanswered when the server dies."""
        factory = self._factory
        factory.furnish()
        for number in range(until):
            task, outcome = self.tasks[number]
            if number not in self.jobs:
                self.jobs[number] = factory.submit(task, f"job-{number}")
            if outcome == "cancelled" and number not in self.cancelled and self._chance.random() < 0.5:
                status, answer = factory.call("POST", f"/v1/jobs/{self.jobs[number]}/cancel", key=f"cancel-{number}")
                assert status in (202, 409), answer
                self.cancelled.add(number)

    def finish(self) -> None:
        """Submit and cancel the rest and wait until all have ended as they should."""
        factory = self._factory
        self.act(JOBS)
        for number, (_, outcome) in enumerate(self.tasks):
            if outcome == "cancelled" and number not in self.cancelled:
                factory.made("POST", f"/v1/jobs/{self.jobs[number]}/cancel", key=f"cancel-{number}")
        for number, (task, outcome) in enumerate(self.tasks):
            found = factory.wait_for_state(self.jobs[number], "ended")
            assert found["outcome"] == outcome, (task, found)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_kills_at_random_instants(zygote):
    seed = int(os.environ.get("EISBACH_TEST_SEED", 0)) or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with a_factory(zygote, cores=8) as factory:
        crowd = Crowd(factory, chance)
        for kill in range(1, KILLS + 1):
            assert factory.start(**EVERYTHING), factory.said()
            killer = Killer(factory, chance)
            play(factory, crowd, JOBS * kill // KILLS)
            killer.wait()
            assert factory.wait_for_end() == -9, factory.said()
        assert factory.start(**EVERYTHING), factory.said()
        crowd.finish()
        verify_log(factory)
        wait_until(lambda: not any((factory.home / "attempts").iterdir()), "attempts to be forgotten")
        factory.stop()
        stories = check_home(factory.home)
        check_outcomes(crowd, stories)
        check_starts(factory, stories)


def play(factory: RealFactory, crowd: Crowd, until: int) -> None:
    """Use the server until it dies."""
    with suppress(Unanswered):
        while factory.is_running:
            crowd.act(until)
            factory.made("GET", f"/v1/projects/{factory.project}/jobs")


def check_outcomes(crowd: Crowd, stories: dict[str, JobStory]) -> None:
    """Every job is there once, and only a fault of its own was its fault."""
    assert set(stories) == set(crowd.jobs.values())
    for number, (task, outcome) in enumerate(crowd.tasks):
        story = stories[crowd.jobs[number]]
        assert story.ends == [outcome], (task, story)
