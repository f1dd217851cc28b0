"""Jobs inside bookings: which are refused since the booking can never hold them, and what the others say while they wait."""

import pytest

from eisbach.app import explain_job, submit_job
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.bookings import booked, inside, pass_until, refused
from tests.app.factory import a_job, a_site, new_factory


@pytest.fixture
def factory(tmp_path):
    """Six nodes of 4 GPUs in two racks, and a budget of 10,000 euro a month."""
    nodes = (
        NodeFacts(
            node=f"n{nth}", pool="p", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4, hall="h", row="w", rack=f"r{nth // 3}"
        )
        for nth in range(6)
    )
    return new_factory(tmp_path, site=a_site(*nodes), budget_eur=10_000)


def asked(factory, booking, gpu_milli=1000, **more):
    spec = a_job(booking=booking, capacity_class=CapacityClass.RESERVED, limit_s=60, **more)
    (shape,) = spec.shapes
    shape = NodeShape(cpu_milli=1000, memory_mib=64, gpus=shape.gpus, flavour="h200.4", gpu_milli=gpu_milli)
    return factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=spec._replace(shapes=(shape,))))


def test_two_shares_above_a_half_do_not_fit_on_one_gpu_however_much_is_left_of_all(factory):
    """Five of 0.6 were taken for 3 GPUs' worth, and the fifth waited on four GPUs for ever."""
    booking, _ = booked(factory)
    assert not isinstance(asked(factory, booking, 600, nodes=4, gpus=1), Refusal)
    refused(asked(factory, booking, 600, nodes=5, gpus=1), Reason.BOOKING_TOO_SMALL)
    assert not isinstance(asked(factory, booking, 500, nodes=8, gpus=1), Refusal)


def test_a_gang_that_must_be_in_one_rack_is_refused_by_a_booking_without_such_a_rack(factory):
    booking, option = [booked(factory, nodes=2) for _ in range(3)][-1]
    assert (option["nodes"], option["level"]) == (["n2", "n5"], "row")
    gang = {"nodes": 2, "gpus": 4}
    answer = refused(asked(factory, booking, within=Within(Level.RACK, is_required=True), **gang), Reason.BOOKING_TOO_SMALL)
    assert "in one rack" in str(answer)
    assert not isinstance(asked(factory, booking, within=Within(Level.RACK), **gang), Refusal)
    assert not isinstance(asked(factory, booking, within=Within(Level.RACK, is_required=True), gpus=4), Refusal)


def why(factory, job):
    return factory.ask(explain_job.question(job=job))


def test_a_job_that_waits_for_other_work_of_its_own_booking_says_so(factory):
    """It said that its window had yet to begin, although that was open."""
    booking, option = booked(factory, length_ms=2 * HOUR_MS)
    first = inside(factory, booking, "sleep 1800", gpus=4)
    second = inside(factory, booking, "sleep 600", gpus=4)
    told = why(factory, second)
    assert (told["reason"], told["start_promised_ms"]) == (Reason.OUTSIDE_BOOKING.value, option["from_ms"])
    pass_until(factory, option["from_ms"])
    assert factory.job(first)["state"] == "running"
    told = why(factory, second)
    assert (told["reason"], told["start_promised_ms"]) == (Reason.CAPACITY_BUSY.value, None)
    assert "free" in told["text"]
    pass_until(factory, option["until_ms"] - 10 * MINUTE_MS)
    assert factory.job(second)["state"] == "ended"


@pytest.mark.parametrize("within", [Within(Level.RACK), None], ids=["preferred", "not said"])
def test_a_gang_gets_one_rack_of_its_booking_where_one_is_free(factory, within):
    """It took the first free nodes of the booking, of both racks."""
    booking, option = booked(factory, nodes=6)
    pass_until(factory, option["from_ms"])
    single = inside(factory, booking, gpus=4)
    gang = inside(factory, booking, gpus=4, nodes=3, within=within)
    after = inside(factory, booking, gpus=4, nodes=2, within=within)
    racks = [{share.node for share in factory.app.applier.state.scheduler.jobs[job].shares} for job in (single, gang, after)]
    assert racks == [{"n0"}, {"n3", "n4", "n5"}, {"n1", "n2"}]


def test_a_gang_that_prefers_one_rack_still_starts_where_its_booking_has_none_free(factory):
    booking, option = booked(factory, nodes=4)
    pass_until(factory, option["from_ms"])
    gang = inside(factory, booking, gpus=4, nodes=4, within=Within(Level.RACK))
    assert len(factory.app.applier.state.scheduler.jobs[gang].shares) == 4
