"""Who is preempted is told before: a notice, then the signal, then the grace; and his nodes are free by the instant that was promised."""

import pytest

from eisbach.app import cancel_job, cap_power, drain_node, explain_job, quote_capacity, read_shares, set_scheduler
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.app.site_facts import NodeFacts
from eisbach.app.tend_nodes import Act
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import MINIMUM_RUN_MS, NOTICE_MS
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.bookings import book, quoted
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of
from tests.app.test_closures import close
from tests.app.test_lost_nodes import tend
from tests.app.test_placement import AUDIT, set_rule

GRACE_MS = 20 * SECOND_MS


@pytest.fixture
def factory(tmp_path):
    """One node full of spot that has run for long enough."""
    site = a_site(NodeFacts(node="n1", pool="p", flavour="cpu", cpu_milli=8000, memory_mib=16384))
    return new_factory(tmp_path, site=site, budget_eur=10_000)


def spot_on(factory, hours=5):
    spot = factory.submit(
        a_job(f"sleep {hours * 3600}", cpus=8, grace_s=20, limit_s=hours * 3600 + 60, capacity_class=CapacityClass.SPOT)
    )
    factory.pass_time(MINIMUM_RUN_MS + MINUTE_MS)
    return spot


def why(factory, job):
    return factory.ask(explain_job.question(job=job))


def test_who_gives_way_says_when_and_why_and_leaves_by_then(factory):
    spot = spot_on(factory)
    waits = factory.submit(a_job("sleep 60", cpus=8))
    told_ms = factory.clock.now()
    row = factory.job(spot)
    assert (row["state"], row["reason"], row["signal_ms"]) == ("stopping", "PREEMPTED", told_ms + NOTICE_MS)
    said = why(factory, spot)
    assert (said["reason"], said["said"].values["signal_at"]) == ("PREEMPTED", told_ms + NOTICE_MS)
    assert "will be asked to stop at" in said["text"]
    assert "in 30 s" in said["text"]
    estimated = why(factory, waits)["start_estimated_ms"]
    assert estimated is None or estimated <= told_ms + NOTICE_MS + GRACE_MS
    factory.pass_time(NOTICE_MS)
    assert factory.job(waits)["state"] == "running"
    assert factory.attempts(spot)[0]["held_ms"] == MINIMUM_RUN_MS + MINUTE_MS + NOTICE_MS, "it worked through its notice"
    assert factory.job(spot)["charged"] == 0
    check_all(factory)


def test_a_restart_within_the_notice_changes_nothing(factory):
    spot = spot_on(factory)
    factory.submit(a_job("sleep 60", cpus=8))
    signal_ms = factory.job(spot)["signal_ms"]
    factory.pass_time(NOTICE_MS // 3)
    factory = factory.restart()
    factory.run_rounds()
    assert factory.job(spot)["state"] == "stopping"
    factory.pass_time(signal_ms - 1 - factory.clock.now())
    factory.run_rounds()
    assert factory.job(spot)["state"] == "stopping"
    factory.pass_time(1)
    assert factory.job(spot)["state"] == "waiting"
    assert factory.attempts(spot)[0]["ended_ms"] == signal_ms
    check_all(factory)


def test_what_is_cancelled_within_its_notice_stops_at_once(factory):
    spot = spot_on(factory)
    waits = factory.submit(a_job("sleep 60", cpus=8))
    factory.perform(cancel_job.command(SYSTEM, job=spot))
    assert factory.job(spot)["outcome"] == "cancelled"
    assert factory.job(waits)["state"] == "running"
    check_all(factory)


def test_what_ends_within_its_notice_has_succeeded(factory):
    spot = factory.submit(a_job("sleep 720", cpus=8, limit_s=900, capacity_class=CapacityClass.SPOT))
    factory.pass_time(710 * SECOND_MS)
    factory.submit(a_job("sleep 60", cpus=8))
    assert factory.job(spot)["state"] == "stopping"
    factory.pass_time(10 * SECOND_MS)
    assert (factory.job(spot)["outcome"], factory.job(spot)["charged_ms"]) == ("succeeded", 720_000)


def test_an_operator_sets_the_notice_and_none_at_all(factory):
    refused = factory.perform(set_scheduler.command(SYSTEM, policy="default", notice_ms=2 * HOUR_MS))
    assert refused.reason is Reason.INVALID_ARGUMENT
    factory.perform(set_scheduler.command(SYSTEM, policy="default", notice_ms=0))
    factory = factory.restart()
    spot = spot_on(factory)
    waits = factory.submit(a_job("sleep 60", cpus=8))
    assert (factory.job(spot)["state"], factory.job(waits)["state"]) == ("waiting", "running")
    check_all(factory)


def test_an_operator_sets_minimum_run_and_half_life_and_they_survive_a_restart(factory):
    for wrong in ({"minimum_run_ms": 25 * HOUR_MS}, {"minimum_run_ms": -1}, {"half_life_hours": 0}, {"half_life_hours": 91 * 24}):
        refused = factory.perform(set_scheduler.command(SYSTEM, policy="default", **wrong))
        assert (refused.reason, refused.where) == (Reason.INVALID_ARGUMENT, next(iter(wrong)))
    said = factory.perform(set_scheduler.command(SYSTEM, policy="default", minimum_run_ms=HOUR_MS, half_life_hours=24))
    assert (said["minimum_run_ms"], said["half_life_hours"], said["changed"]) == (HOUR_MS, 24, True)
    again = factory.restart()
    policy = again.app.applier.state.scheduler.policy
    assert (policy.minimum_run_ms, policy.half_life_hours) == (HOUR_MS, 24)
    assert {one["half_life_hours"] for one in again.ask(read_shares.question())} == {24}
    spot = again.submit(a_job("sleep 36000", cpus=8, capacity_class=CapacityClass.SPOT, limit_s=36000))
    again.pass_time(30 * MINUTE_MS)
    firm = again.submit(a_job("sleep 60", cpus=8))
    again.pass_time(20 * MINUTE_MS)
    assert again.job(firm)["state"] == "waiting", "the spot has run for less than its minimum"
    again.perform(set_scheduler.command(SYSTEM, policy="default", minimum_run_ms=HOUR_MS, half_life_hours=36))
    check_all(again)
    again.pass_time(11 * MINUTE_MS)
    assert (again.job(firm)["state"], again.job(spot)["state"]) != ("waiting", "running")
    check_all(again)


@pytest.mark.parametrize("notice_ms", [0, NOTICE_MS, 3 * MINUTE_MS])
def test_the_window_of_a_booking_is_free_at_its_first_instant(factory, notice_ms):
    factory.perform(set_scheduler.command(SYSTEM, policy="default", notice_ms=notice_ms))
    spot = spot_on(factory)
    quote = factory.perform(
        quote_capacity.command(SYSTEM, {}, project=factory.project, wanted=Wanted(flavour="cpu", nodes=1, length_ms=HOUR_MS))
    )
    assert quote["notice_ms"] == notice_ms
    option = quote["options"][0]
    booking = book(factory, option["option"])["booking"]
    own = factory.submit(a_job("sleep 60", cpus=8, booking=booking, capacity_class=CapacityClass.RESERVED))
    factory.pass_time(option["from_ms"] - factory.clock.now() - 1)
    told = [one for one in events_of(factory) if one.kind == "job.stopping"]
    assert [one.at_ms for one in told] == [option["from_ms"] - GRACE_MS - notice_ms]
    assert factory.job(spot)["state"] == "waiting", "a simulated task needs none of its grace"
    factory.pass_time(1)
    assert factory.job(own)["state"] == "running"
    check_all(factory)


def test_an_option_is_not_booked_where_spot_could_not_leave_in_time(factory):
    factory.perform(set_scheduler.command(SYSTEM, policy="default", notice_ms=10 * MINUTE_MS))
    first = quoted(factory, flavour="cpu", length_ms=HOUR_MS)["options"][0]
    spot_on(factory)
    refused = book(factory, first["option"])
    assert refused.reason is Reason.OPTION_TAKEN
    later = refused.values["quote"]["options"][0]
    assert later["from_ms"] >= factory.clock.now() + 10 * MINUTE_MS + GRACE_MS


# ---- what does not wait for a notice ------------------------------------------------------------------------------


@pytest.fixture
def noticed(factory):
    """Spot has begun a notice of ten minutes: it is told that it will be preempted, and works on."""
    factory.perform(set_scheduler.command(SYSTEM, policy="default", notice_ms=10 * MINUTE_MS))
    spot = spot_on(factory)
    factory.submit(a_job("sleep 60", cpus=8))
    assert factory.job(spot)["state"] == "stopping"
    factory.pass_time(MINUTE_MS)
    return spot


def stopped_now(factory, job):
    """Whether its attempt has been asked to stop by now; a simulated task ends when it is."""
    return factory.attempts(job)[0]["ended_ms"] == factory.clock.now()


def test_a_cap_on_power_does_not_wait_for_a_notice(factory, noticed):
    facts = factory.app.sites["here"]
    rest_mw = factory.app.applier.state.scheduler.power.rest_mw("here")
    factory.perform(cap_power.command(SYSTEM, facts, site="here", draw_mw=rest_mw + 1000, until_ms=0))
    assert stopped_now(factory, noticed)
    check_all(factory)


def test_a_drain_does_not_wait_for_a_notice(factory, noticed):
    tend(factory, Act.DRAIN, "n1")
    assert stopped_now(factory, noticed)
    check_all(factory)


@pytest.mark.parametrize("is_drained", [False, True])
def test_a_node_is_drained_as_asked_within_a_notice(factory, noticed, is_drained):
    factory.perform(drain_node.command(SYSTEM, node="n1", drained=True, stop_work=is_drained))
    assert stopped_now(factory, noticed) is is_drained
    check_all(factory)


def test_a_closure_does_not_wait_for_a_notice(factory, noticed):
    closure = close(factory, "n1", after_ms=5 * MINUTE_MS, length_ms=HOUR_MS, is_forced=True)
    factory.pass_time(5 * MINUTE_MS - GRACE_MS - 1)
    assert factory.job(noticed)["state"] == "stopping"
    factory.pass_time(1)
    assert stopped_now(factory, noticed)
    factory.pass_time(GRACE_MS)
    assert factory.store.row("closures", closure["closure"])["state"] == "begun"
    check_all(factory)


def test_a_closure_after_the_notice_leaves_it_as_it_is(factory, noticed):
    answer = close(factory, "n1", after_ms=9 * MINUTE_MS + GRACE_MS, length_ms=HOUR_MS, is_forced=True)
    assert (answer["attempts_on_them"], answer["attempts_leaving"]) == (1, 0)
    factory.pass_time(9 * MINUTE_MS)
    assert stopped_now(factory, noticed)
    told = [one for one in events_of(factory) if one.kind == "job.stopping"]
    assert len(told) == 1


def test_work_where_it_must_not_be_does_not_wait_for_a_notice(factory, noticed):
    set_rule(factory, factory.project, countries=("PT",))
    factory.run_rounds(AUDIT)
    assert stopped_now(factory, noticed)
    check_all(factory)
