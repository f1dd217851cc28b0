"""A factory that is spoken to over HTTP on the simulated engine, and the twin that replays its log, decide the same."""

import base64
import json
import random
import threading
import time
from dataclasses import dataclass

import httpx
import pytest

from eisbach.adapters.catalogues import Catalogues
from eisbach.adapters.cedar import CedarAuthoriser
from eisbach.adapters.clocks import ManualClock
from eisbach.adapters.identifiers import SystemIds
from eisbach.adapters.signing import signer_from
from eisbach.adapters.template_library import TemplateLibrary
from eisbach.app import issue_token
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.commands import SYSTEM, Decision
from eisbach.app.event_codec import open_event
from eisbach.app.open_factory import open_factory
from eisbach.app.plan_hash import PlanHash
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.scheduling.policy import POLICIES
from eisbach.core.vocabulary.quantities import DAY_MS, SECOND_MS
from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.stores.memory import MemoryStore
from eisbach.twin.absent import Absent
from eisbach.twin.equal_nodes import equal_nodes
from eisbach.twin.past import Past
from eisbach.twin.scenario import Scenario
from eisbach.twin.world import PRICES, START_MS
from tests.faces.cli_tools import Listening

NODES, JOBS, PATIENCE_S = 6, 40, 30.0


@dataclass
class Served:
    """A factory on simulated nodes whose clock stands until it is told to go on, and a client of its API."""

    application: Application
    engine: SimulatedEngine
    clock: ManualClock
    client: httpx.Client
    project: str = ""

    def made(self, path, **body):
        answer = self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def submit(self, nodes, seconds, limit_s, **more):
        gpus = more.pop("gpus", 8)
        resources = {"accelerators": f"B200:{gpus}", "cpus": 16 * gpus, "memory": 256 * gpus}
        task = {"run": f"sleep {seconds}", "num_nodes": nodes, "time_limit": f"{limit_s}s", "resources": resources, **more}
        self.made(f"/v1/projects/{self.project}/jobs", task=task)
        self.rest()

    def pass_until(self, at_ms):
        """Let time pass, stopping whenever something ends or the scheduler has something to look at."""
        while True:
            scheduler = self.application.ask(lambda state, now: state.scheduler.next_instant()).result()
            now = min(due for due in (self.engine.next_instant(), scheduler, at_ms) if due is not None)
            self.clock.advance(max(0, now - int(self.clock.now())))
            self.engine.advance()
            self.rest()
            self.application.perform(lambda state, context: Decision()).result()  # as the applier wakes by itself on a clock that goes on
            self.rest()
            if now >= at_ms:
                return

    def rest(self):
        """Wait until all that was decided is told, and all that was reported is decided."""
        deadline, looked = time.monotonic() + PATIENCE_S, threading.Event()
        while not self.application.ask(lambda state, now: self._is_at_rest(state, now)).result():
            assert time.monotonic() < deadline, "the factory does not come to rest"
            looked.wait(0.002)

    def _is_at_rest(self, state, now):
        seen = {one.attempt_id: one for one in self.engine.observe()}
        due = self.engine.next_instant()
        return (due is None or due > now) and all(
            job.state is JobState.RUNNING and attempt in seen and seen[attempt].ending is None for attempt, job in state.scheduler.holding.items()
        )

    def log(self):
        """The whole log, as an auditor exports it over HTTP."""
        _, *lines = self.client.get("/v1/audit/export").raise_for_status().content.splitlines()
        return [open_event(base64.b64decode(json.loads(line)["data"])) for line in lines]


@pytest.fixture
def served(tmp_path):
    clock = ManualClock(START_MS)
    engine = SimulatedEngine(clock)
    application = Application(
        store=MemoryStore(),
        engine=engine,
        clock=clock,
        ids=SystemIds(),
        signer=signer_from("http.test/factory", bytes(32)),
        faces=FacePorts(authoriser=CedarAuthoriser(), translator=Catalogues(), templates=TemplateLibrary()),
        keepers=Keepers(
            archives=Absent("archives"), secrets=Absent("secrets"), objects=Absent("objects"), data_limits=DataLimits(project_bytes_max=0, file_bytes_max=0)
        ),
        isolation=engine.isolation,
    )
    application.start()
    open_factory(application, origin="http.test/factory", software="test", sites=[equal_nodes(NODES, 8)], prices=[PRICES])
    secret = application.perform(issue_token.command(SYSTEM, role="operator", label="first", lifetime_ms=300 * DAY_MS)).result()["secret"]
    world = Served(application, engine, clock, httpx.Client())
    server = Listening(world)
    world.client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {secret}"}, timeout=PATIENCE_S)
    organisation = world.made("/v1/organisations", name="all")["organisation"]
    world.project = world.made("/v1/projects", name="work", organisation=organisation, budget_micro_eur=10**15)["project"]
    yield world
    world.client.close()
    server.stop()
    application.stop()
    application.close()


@pytest.mark.parametrize("policy", ["default", "easy"])
def test_a_served_factory_and_the_twin_make_the_same_plan(served, policy):
    chance = random.Random(11)
    assert served.client.put("/v1/scheduler", json={"policy": policy}).status_code < 300
    for _ in range(JOBS):
        served.pass_until(int(served.clock.now()) + chance.randrange(1, 240) * SECOND_MS)
        seconds = chance.randrange(30, 3000)
        nodes, gpus = chance.choice([(1, 8), (1, 8), (2, 8), (3, 8), (5, 8), (1, 2), (1, 4)])
        served.submit(nodes, seconds, seconds + chance.randrange(600), gpus=gpus)
    served.pass_until(int(served.clock.now()) + DAY_MS)
    log = served.log()
    live = PlanHash()
    live.take([event.body for event in log])
    past = Past(log)
    assert (len(past), past.policy) == (JOBS, POLICIES[policy])
    scenario = Scenario(sites=past.sites(), workload=past, acts=past.acts(), start_ms=past.begin_ms, prices=past.prices(), policy=past.policy)
    result = scenario.play(scenario.world())
    assert result.finished == JOBS
    assert result.mean_wait_s > 600, "many had to wait"
    assert result.plan_hash == live.hexdigest()
