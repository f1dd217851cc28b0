"""Who gives way in a whole factory: work above a quota to work within one, spot to a gang that finds no nodes together."""

import json

from eisbach.app import (
    create_project,
    defragment,
    explain_job,
    observe_use,
    report_fragmentation,
    set_shares,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import MINIMUM_RUN_MS
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from tests.app.factory import a_job, a_site, new_factory

SPOT = CapacityClass.SPOT


def a_factory(tmp_path, nodes=2, rack_of=2):
    """Nodes of four GPUs in racks."""
    facts = [
        NodeFacts(
            node=f"n{number}", pool="p", flavour="h200.4", cpu_milli=32_000, memory_mib=65_536, gpus=4, rack=f"r{number // rack_of}"
        )
        for number in range(nodes)
    ]
    return new_factory(tmp_path, site=a_site(*facts), budget_eur=100_000)


def gpus(count, nodes=1, **more):
    return a_job("sleep 36000", nodes=nodes, cpus=1, gpus=count, flavour="h200", limit_s=40_000, **more)


def another_project(factory):
    organisation = factory.app.applier.state.projects[factory.project].organisation
    made = create_project.command(SYSTEM, organisation=organisation, name="other", budget_micro_eur=10**5 * EURO)
    return factory.perform(made)["project"]


def submitted_to(factory, project, spec):
    return factory.perform(submit_job.command(SYSTEM, project=project, spec=spec))["job"]


def states(factory, *jobs):
    return [factory.store.row("jobs", job)["state"] for job in jobs]


def test_work_above_a_quota_gives_way_to_work_within_one_the_newest_first(tmp_path):
    factory = a_factory(tmp_path)
    factory.perform(set_shares.set_quota(SYSTEM, owner=factory.project, gpu_milli=4000))
    first, second, third = (factory.submit(gpus(2)) for _ in range(3))
    factory.pass_time(MINIMUM_RUN_MS + MINUTE_MS)
    fourth = factory.submit(gpus(2))
    factory.pass_time(MINUTE_MS)
    assert states(factory, first, second, third, fourth) == ["running"] * 4, "what others leave idle is used"
    other = another_project(factory)
    wanted = submitted_to(factory, other, gpus(2))
    factory.pass_time(MINUTE_MS)
    assert states(factory, first, second, third, fourth, wanted) == ["running", "running", "waiting", "running", "running"]
    assert factory.store.row("jobs", third)["charged"] == 0, "who is thrown back is not charged for it"
    factory.pass_time(MINIMUM_RUN_MS)
    again = submitted_to(factory, other, gpus(2))
    factory.pass_time(MINUTE_MS)
    assert states(factory, first, second, fourth, again) == ["running", "running", "waiting", "running"]
    never = submitted_to(factory, other, gpus(2))
    factory.pass_time(HOUR_MS)
    assert states(factory, first, second, never) == ["running", "running", "waiting"], "within its quota nobody gives way"


def test_why_counts_parts_of_gpus_as_parts(tmp_path):
    """Of eight GPUs three halves are held beside six whole ones: half of one is free, and the whole one that waits finds none."""
    factory = a_factory(tmp_path)
    half = NodeShape(cpu_milli=1000, memory_mib=1024, gpus=1, flavour="h200", gpu_milli=500)
    for spec in (gpus(3), gpus(3), *[gpus(1)._replace(shapes=(half,))] * 3):
        factory.submit(spec)
    waiting = factory.submit(gpus(1))
    answer = factory.ask(explain_job.question(job=waiting))
    assert answer["reason"] == "CAPACITY_BUSY"
    assert "1 cores" in answer["text"]
    assert "1 GPUs" in answer["text"]
    assert "0.5 GPUs" in answer["text"]
    (total,) = (use for use in factory.call(observe_use.use_of) if use.resource == "gpu_milli")
    assert (total.total, total.allocated, total.sold) == (8000, 7500, 7500)


def test_why_names_the_quota_with_its_numbers(tmp_path):
    factory = a_factory(tmp_path)
    factory.perform(set_shares.set_quota(SYSTEM, owner=factory.project, gpu_milli=4000))
    for _ in range(2):
        factory.submit(gpus(4))
    waiting = factory.submit(gpus(4))
    answer = factory.ask(explain_job.question(job=waiting))
    assert answer["reason"] == "ABOVE_QUOTA"
    assert "holds 8 GPUs of a quota of 4 GPUs, and this job would add 4 GPUs" in answer["text"]


def test_why_names_the_fair_share_with_its_numbers(tmp_path):
    factory = a_factory(tmp_path)
    other = another_project(factory)
    for _ in range(2):
        factory.submit(gpus(4))
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    waiting = factory.submit(gpus(4))
    submitted_to(factory, other, gpus(4))
    answer = factory.ask(explain_job.question(job=waiting))
    assert answer["reason"] != "ABOVE_QUOTA"
    assert str(answer["share"]).startswith("Of the GPU time of late its project had 100.0 %, and 50.0 % are its share; 1 other")


def test_an_agreement_goes_first(tmp_path):
    factory = a_factory(tmp_path, nodes=1)
    other = another_project(factory)
    running = factory.submit(a_job("sleep 600", cpus=1, gpus=4, flavour="h200", limit_s=700))
    mine = factory.submit(gpus(4))
    theirs = submitted_to(factory, other, gpus(4))
    tree = factory.app.applier.state.scheduler.fair_share
    assert tree.rank(other) < tree.rank(factory.project)
    organisation = factory.app.applier.state.projects[other].organisation
    factory.perform(set_shares.set_agreement(SYSTEM, organisation=organisation, gpu_milli=8000))
    assert tree.rank(other)[0] == tree.rank(factory.project)[0] == 0
    factory.pass_time(12 * MINUTE_MS)
    assert states(factory, running, mine, theirs)[0] == "ended"


ROUND = Round("defragment", 1, defragment.defragment)
A_RACK = Within(Level.RACK, is_required=True)


def scattered(tmp_path, after_ms=MINIMUM_RUN_MS + MINUTE_MS):
    """Three racks of two nodes: spot on one node of two of them, the third taken; a gang of spot wants a whole rack."""
    factory = a_factory(tmp_path, nodes=6)
    kinds = [(SPOT, 36_000), (None, 300), (SPOT, 36_000), (None, 300), (None, 36_000), (None, 36_000)]
    jobs = []
    for kind, seconds in kinds:
        more = {} if kind is None else {"capacity_class": kind}
        jobs.append(factory.submit(a_job(f"sleep {seconds}", cpus=1, gpus=4, flavour="h200", limit_s=seconds + 60, **more)))
    factory.pass_time(after_ms)
    free = [node.node for node in factory.app.applier.state.scheduler.fleet.nodes.values() if node.is_idle]
    assert free == ["n1", "n3"]
    gang = factory.submit(gpus(4, nodes=2, within=A_RACK, capacity_class=SPOT))
    factory.pass_time(MINUTE_MS)
    return factory, jobs, gang


def test_spot_moves_aside_for_a_gang_and_what_that_brings_is_on_record(tmp_path):
    factory, jobs, gang = scattered(tmp_path)
    assert states(factory, gang) == ["waiting"]
    factory.run_rounds(ROUND)
    factory.pass_time(MINUTE_MS)
    assert states(factory, gang, *jobs) == ["running", "running", "ended", "running", "ended", "running", "running"]
    (row,) = factory.store.rows("defragmentations", {}).rows
    assert (row["job"], row["moves"]) == (gang, 1)
    assert row["lost_gpu_milli_ms"] == 4000 * (MINIMUM_RUN_MS + 2 * MINUTE_MS)
    assert row["gain_gpu_milli_ms"] > 8000 * 9 * HOUR_MS
    assert row["gain_micro_eur"] > 8 * 9 * 3_600_000 // 2 * 9 // 10, "eight GPUs at the price of spot for nine hours and more"
    (moved,) = json.loads(row["moved"])
    assert moved in (jobs[0], jobs[2])
    assert factory.store.row("jobs", moved)["charged"] == 0
    told = report_fragmentation.moves(factory.store, factory.clock.now())
    assert (told["times"], told["moves"], told["gain_micro_eur"]) == (1, 1, row["gain_micro_eur"])
    again = factory.restart()
    again.run_rounds(ROUND)
    assert again.store.rows("defragmentations", {}).rows[0]["seq"] == row["seq"], "nobody else has anything to gain"


def test_what_is_in_pieces_is_counted_and_priced(tmp_path):
    factory = a_factory(tmp_path, nodes=4)
    for count in (1, 4):
        factory.submit(gpus(count))
    (found,) = factory.ask(report_fragmentation.question())
    assert (found["gpus"], found["free_gpus"], found["in_pieces_gpus"]) == (16, 11, 3)
    assert found["in_pieces_hour"] == 3 * 3_600_000
    assert found["simulated"]
    assert (found["together"]["rack"], found["together"]["hall"]) == (2, 2)


def test_no_more_is_moved_in_an_hour_than_is_allowed(tmp_path, monkeypatch):
    factory, _, gang = scattered(tmp_path)
    monkeypatch.setattr(defragment, "MOVES_AN_HOUR", 0)
    factory.run_rounds(ROUND)
    factory.pass_time(MINUTE_MS)
    assert states(factory, gang) == ["waiting"]


def test_nobody_moves_where_more_would_be_lost_than_gained(tmp_path):
    """The spot in the way is over soon: the gang starts then by itself."""
    factory, _, _ = scattered(tmp_path, after_ms=35_000_000)
    factory.run_rounds(ROUND)
    assert factory.store.rows("defragmentations", {}).rows == []
