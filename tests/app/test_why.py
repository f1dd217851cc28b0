"""Why a job waits: each state and each hold has its sentence, and nobody hears of the jobs of others."""

from dataclasses import replace

from eisbach.app import create_project, explain_job
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import SECOND_MS
from tests.app.asking import thrown_back_twice, why
from tests.app.factory import a_job, a_site, new_factory


def test_each_state_says_where_the_job_is(tmp_path):
    factory = new_factory(tmp_path, start_ms=5000)
    job = factory.submit(a_job("sleep 600", cpus=8, grace_s=30))
    assert why(factory, job)["reason"] == "STARTING"
    factory.pass_time(65 * SECOND_MS)
    assert "has run for 60 s on n1; its limit is reached in 3540 s" in why(factory, job)["text"]
    behind = factory.submit(a_job(cpus=8))
    answer = why(factory, behind)
    assert (answer["reason"], answer["start_promised_ms"]) == ("CAPACITY_BUSY", factory.clock.now() + 3570 * SECOND_MS)
    assert "8 cores" in answer["text"]
    assert why(factory, "job_nobody") is None


def test_a_job_without_money_says_how_much_is_missing(factory):
    factory.submit(a_job("sleep 3600", limit_s=24_000 * 3600))
    job = factory.submit(a_job(limit_s=2000 * 3600))
    answer = why(factory, job)
    assert answer["reason"] == factory.job(job)["reason"] == "BUDGET_RESERVED"
    assert "79.20 EUR must be" in answer["text"]
    second = factory.submit(a_job(limit_s=1))
    assert "1 jobs of the project wait for money before it" in why(factory, second)["text"]


def test_a_job_that_would_delay_an_earlier_one_says_whom(factory):
    factory.submit(a_job("sleep 3600", cpus=6))
    head = factory.submit(a_job("sleep 60", cpus=8))
    long = factory.submit(a_job("sleep 7000", cpus=2, limit_s=7200))
    answer = why(factory, long)
    assert answer["reason"] == "BEHIND_PROMISE"
    assert head in answer["text"]


def test_a_gang_that_leaves_a_larger_one_its_expected_start_says_whom(factory):
    scheduler = factory.app.applier.state.scheduler
    scheduler.set_policy(replace(DEFAULT, promised_nodes=1))  # so that one node is many
    running = factory.submit(a_job("sleep 3600", cpus=6))
    held = scheduler.jobs[running]
    held.predicted_ms = 600_000
    scheduler.releases.note(str(held.attempt), held)
    head = factory.submit(a_job("sleep 60", cpus=8, limit_s=600))
    answer = why(factory, factory.submit(a_job("sleep 60", cpus=2, limit_s=1800)))
    assert answer["reason"] == "BEHIND_PROMISE"
    assert f"would delay {head}, which stands before it and is expected to start at " in answer["text"]


def test_a_gang_that_leaves_smaller_work_room_says_until_when(tmp_path):
    nodes = [NodeFacts(node=f"g{number}", pool="g", flavour="h200.1", cpu_milli=8000, memory_mib=65_536, gpus=1) for number in range(10)]
    factory = new_factory(tmp_path, site=a_site(*nodes))
    factory.app.applier.state.scheduler.set_policy(replace(DEFAULT, promised_nodes=4))
    factory.submit(a_job("sleep 3600", gpus=1, flavour="h200"))
    answer = why(factory, factory.submit(a_job("sleep 3600", gpus=1, flavour="h200", nodes=9)))
    assert answer["reason"] == "CAPACITY_BUSY"
    assert "would leave smaller work too little" in answer["text"]


def test_a_promised_gang_that_leaves_smaller_work_room_says_so_until_its_promise_is_due(tmp_path):
    nodes = [NodeFacts(node=f"g{number}", pool="g", flavour="h200.1", cpu_milli=8000, memory_mib=65_536, gpus=1) for number in range(10)]
    factory = new_factory(tmp_path, site=a_site(*nodes))
    scheduler = factory.app.applier.state.scheduler
    scheduler.set_policy(replace(DEFAULT, promised_nodes=4))
    factory.submit(a_job("sleep 30000", gpus=1, flavour="h200", limit_s=36_000))
    factory.submit(a_job("sleep 60", gpus=1, flavour="h200", nodes=3, limit_s=7200))
    gang = factory.submit(a_job("sleep 3600", gpus=1, flavour="h200", nodes=9))
    promised_ms = why(factory, gang)["start_promised_ms"]
    factory.pass_time(65 * SECOND_MS)
    dates, freed = {name: node.dated_ms for name, node in scheduler.fleet.nodes.items()}, scheduler.calendar.freed
    answer = why(factory, gang)
    assert (answer["reason"], answer["start_promised_ms"]) == ("CAPACITY_BUSY", promised_ms)
    assert "would leave smaller work too little" in answer["text"]
    assert answer["said"].values["until_at"] == promised_ms
    assert ({name: node.dated_ms for name, node in scheduler.fleet.nodes.items()}, scheduler.calendar.freed) == (dates, freed), "asking changes nothing"


def test_a_job_of_another_project_is_never_named(factory):
    owner = factory.app.applier.state.projects[factory.project].organisation
    made = create_project.command(SYSTEM, organisation=owner, name="other", budget_micro_eur=1000 * EURO)
    other = factory.perform(made)["project"]
    factory.submit(a_job("sleep 3600", cpus=6))
    head = factory.submit(a_job("sleep 60", cpus=8))
    long = factory.submit(a_job("sleep 7000", cpus=2, limit_s=7200), project=other)
    answer = why(factory, long)
    assert answer["reason"] == "BEHIND_PROMISE"
    assert head not in answer["text"]


def test_a_delay_that_has_just_ended_is_explained_too(factory):
    """Between the instant a delay ends and the next cycle the job is in no queue: asked then, `why` failed."""
    job = thrown_back_twice(factory)
    until = factory.app.applier.state.scheduler.jobs[job].not_before_ms
    factory.clock.advance(until - factory.clock.now())
    assert explain_job.question(job=job)(factory.app.applier.state, factory.clock.now())["reason"] == "STARTING"


def test_the_head_of_spot_is_told_an_estimate_and_promised_nothing(factory):
    """Whatever is on-demand may take its nodes at any time (decision 14, point 5); the head of on-demand has a promise."""
    factory.submit(a_job("sleep 3600", cpus=8))
    spot = factory.submit(a_job("sleep 60", cpus=8, capacity_class=CapacityClass.SPOT))
    answer = why(factory, spot)
    assert (answer["reason"], answer["start_promised_ms"]) == ("CAPACITY_BUSY", None)
    assert answer["start_estimated_ms"] > factory.clock.now()
    head = why(factory, factory.submit(a_job("sleep 60", cpus=8)))
    assert head["start_promised_ms"] is not None
