"""Bookings leave bad nodes: their nodes change, their times never; where no equal node is left, the owner is credited."""

import pytest
from msgspec.structs import replace

from eisbach.app import cap_power, close_nodes, extend_booking, hold_option
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import decode
from eisbach.app.tend_nodes import Act
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.policy import NOTICE_MS
from eisbach.core.vocabulary.interval import minute_text
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.bookings import a_node, book, booked, quoted, refused, row
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of
from tests.app.test_lost_nodes import fail, marks, places, tend


@pytest.fixture
def factory(tmp_path):
    """Four nodes of 4 GPUs in two racks."""
    return new_factory(tmp_path, site=a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4))), budget_eur=10_000)


def booking_of(factory, booking):
    return factory.app.applier.state.booking.bookings[booking]


@pytest.mark.parametrize("act", [Act.LOST, Act.DRAIN, Act.CORDON])
def test_a_booking_moves_to_an_equal_node_and_keeps_its_times(factory, act):
    booking, option = booked(factory, from_ms=factory.clock.now() + HOUR_MS)
    (bad,) = option["nodes"]
    before = row(factory, booking)
    tend(factory, act, bad)
    moved = booking_of(factory, booking)
    assert bad not in moved.nodes
    assert (moved.from_ms, moved.until_ms) == (before["from_ms"], before["until_ms"])
    job = factory.submit(a_job("sleep 600", booking=booking, capacity_class=CapacityClass.RESERVED))
    factory.pass_time(option["from_ms"] - factory.clock.now())
    assert places(factory, job) == [moved.nodes[0]]
    factory.run_rounds()
    check_all(factory)


def test_a_node_lost_inside_the_window_is_replaced_and_the_work_goes_on_there(factory):
    booking, option = booked(factory)
    factory.pass_time(option["from_ms"] - factory.clock.now())
    job = factory.submit(a_job("sleep 3000", booking=booking, limit_s=3600, capacity_class=CapacityClass.RESERVED))
    factory.pass_time(10 * MINUTE_MS)
    (bad,) = places(factory, job)
    tend(factory, Act.LOST, bad)
    assert places(factory, job) == [bad, *booking_of(factory, booking).nodes]
    assert factory.attempts(job)[0]["charged"] == 0
    check_all(factory)


def test_without_an_equal_node_the_owner_is_credited_for_the_rest_by_itself(factory):
    booking, option = booked(factory, nodes=4)
    factory.pass_time(option["from_ms"] - factory.clock.now())
    job = factory.submit(a_job("sleep 7000", booking=booking, limit_s=7100, capacity_class=CapacityClass.RESERVED))
    assert places(factory, job) == ["n0"]
    factory.pass_time(HOUR_MS)
    tend(factory, Act.LOST, "n2")
    assert "n2" not in booking_of(factory, booking).nodes
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    ended = row(factory, booking)
    assert ended["charged"] == option["price"] * 7 // 8, "an hour of one node in four"
    check_all(factory)


def test_a_suspect_node_is_in_no_new_booking_and_leaves_the_others(factory):
    booking, _ = booked(factory, from_ms=factory.clock.now() + 2 * HOUR_MS)
    job = factory.submit(a_job("sleep 360", gpus=4, flavour="h200", limit_s=600))
    bad = places(factory, job)[0]
    for _ in range(3):
        fail(factory, job)
    assert marks(factory) == {bad: "suspect"}
    assert bad not in booking_of(factory, booking).nodes
    _, later = booked(factory, nodes=1, from_ms=factory.clock.now() + 5 * HOUR_MS)
    assert bad not in later["nodes"]


def test_a_window_over_a_booking_is_refused_by_name_and_forced_the_booking_moves(factory):
    booking, option = booked(factory, from_ms=factory.clock.now() + HOUR_MS)
    times = {"from_ms": option["from_ms"], "length_ms": MINUTE_MS}
    targets = Targets(names=tuple(option["nodes"]))
    refused = factory.perform(close_nodes.command(SYSTEM, targets=targets, **times))
    assert (refused.reason, refused.values["bookings"]) == (Reason.WINDOW_TAKEN, [booking])
    assert booking in str(refused)
    forced = factory.perform(close_nodes.command(SYSTEM, targets=targets, is_forced=True, **times))
    assert forced["moved"] == [f"booking {booking}"]
    assert not set(booking_of(factory, booking).nodes) & set(option["nodes"])
    factory.pass_time(3 * HOUR_MS)
    factory.run_rounds()
    check_all(factory)


def test_the_batch_that_loses_the_node_moves_the_booking(factory):
    booking, option = booked(factory)
    factory.pass_time(option["from_ms"] - factory.clock.now())
    job = factory.submit(a_job("sleep 3000", booking=booking, limit_s=3600, capacity_class=CapacityClass.RESERVED))
    batches = []
    factory.app.listeners.append(lambda draft: batches.append([type(body).__name__ for body in draft.bodies]))
    tend(factory, Act.LOST, places(factory, job)[0])
    assert batches[0] == ["NodeMarked", "AttemptEnded", "BookingMoved", "AttemptPlanned"]


def test_work_of_the_owner_stays_on_a_drained_node_and_the_booking_leaves_with_it(factory):
    booking, option = booked(factory)
    factory.pass_time(option["from_ms"] - factory.clock.now())
    job = factory.submit(a_job("sleep 600", booking=booking, limit_s=900, capacity_class=CapacityClass.RESERVED))
    (bad,) = places(factory, job)
    tend(factory, Act.CORDON, bad)
    factory.run_rounds()
    assert booking_of(factory, booking).nodes == (bad,)
    factory.pass_time(11 * MINUTE_MS)
    assert factory.job(job)["state"] == "ended"
    assert booking_of(factory, booking).nodes != (bad,), "in the batch in which the work ends"
    check_all(factory)


def test_nodes_that_do_not_come_back_by_the_window_s_first_instant_are_credited_from_there(factory):
    booking, option = booked(factory, nodes=4, from_ms=factory.clock.now() + HOUR_MS)
    tend(factory, Act.LOST, "n3")
    factory.run_rounds()
    assert len(booking_of(factory, booking).nodes) == 4, "it may come back until then"
    factory.pass_time(option["from_ms"] - factory.clock.now())
    assert row(factory, booking)["price"] == option["price"] * 3 // 4
    check_all(factory)


def test_a_booking_leaves_a_node_that_a_new_site_file_makes_another_one(factory):
    booking, option = booked(factory, from_ms=factory.clock.now() + HOUR_MS)
    (bad,) = option["nodes"]
    nodes = [replace(one, flavour="cpu", gpus=0) if one.node == bad else one for one in factory.site.nodes]
    factory = factory.restart(site=replace(factory.site, nodes=tuple(nodes)))
    assert bad not in booking_of(factory, booking).nodes
    check_all(factory)


@pytest.mark.parametrize(("comes_h", "is_moved"), [(2, False), (3, True)])
def test_a_booking_leaves_a_node_that_comes_after_its_window_has_begun(tmp_path, comes_h, is_moved):
    """A new site file said so, and the booking began on a node that was not there."""
    factory = new_factory(tmp_path, site=a_site(a_node("n0")), budget_eur=10_000)
    now = factory.clock.now()
    to_come = [replace(a_node(name), from_ms=now + HOUR_MS) for name in ("n1", "n2")]
    factory = factory.restart(site=a_site(a_node("n0"), *to_come))
    booking, option = booked(factory, nodes=2, from_ms=now + 2 * HOUR_MS)
    assert option["nodes"] == ["n0", "n1"]
    factory = factory.restart(site=a_site(a_node("n0"), replace(to_come[0], from_ms=now + comes_h * HOUR_MS), to_come[1]))
    factory.run_rounds()
    assert booking_of(factory, booking).nodes == (("n0", "n2") if is_moved else ("n0", "n1"))
    factory.pass_time(option["from_ms"] - factory.clock.now())
    nodes = factory.app.applier.state.scheduler.fleet.nodes
    assert all(nodes[name].available for name in booking_of(factory, booking).nodes)
    assert row(factory, booking)["price"] == option["price"]
    check_all(factory)


def test_an_option_whose_nodes_are_others_by_now_is_neither_booked_nor_held(tmp_path):
    """Who booked it had paid for GPUs of nodes that have none any more."""
    factory = new_factory(tmp_path, site=a_site(a_node("n0"), a_node("n1")), budget_eur=10_000)
    option = quoted(factory, nodes=2, from_ms=factory.clock.now() + HOUR_MS)["options"][0]["option"]
    others = [replace(one, flavour="cpu", gpus=0) if one.node == "n1" else one for one in factory.site.nodes]
    factory = factory.restart(site=replace(factory.site, nodes=tuple(others)))
    refused(book(factory, option), Reason.OPTION_TAKEN)
    refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option)), Reason.OPTION_TAKEN)
    factory = factory.restart(site=a_site(a_node("n0"), a_node("n1")))
    assert not isinstance(book(factory, option), Refusal)
    check_all(factory)


def test_a_booking_of_nodes_that_a_site_has_no_more_is_not_extended(tmp_path):
    """It was asked for their price, and nobody had one: an error of ours instead of a refusal."""
    factory = new_factory(tmp_path, site=a_site(a_node("n0")), budget_eur=10_000)
    booking, _ = booked(factory, from_ms=factory.clock.now() + HOUR_MS)
    factory = factory.restart(site=a_site(replace(a_node("n1"), flavour="cpu", gpus=0)))
    longer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS))
    assert "here has no nodes of h200.4 any more" in str(refused(longer, Reason.NO_WINDOW))
    check_all(factory)


def test_a_promise_on_a_node_that_a_new_site_file_makes_another_one_is_broken(tmp_path):
    site = a_site(a_node("n0"))
    factory = new_factory(tmp_path, site=site)
    factory.submit(a_job("sleep 3000", cpus=8, limit_s=3600))
    job = factory.submit(a_job("sleep 60", gpus=1, flavour="h200.4"))
    assert factory.app.applier.state.scheduler.calendar.promises[job].is_shared
    factory.perform(cap_power.command(SYSTEM, site, site=site.site, draw_mw=0))
    factory.pass_time(HOUR_MS // 2)
    assert job in factory.app.applier.state.scheduler.calendar.promises, "its node is idle, and there is no power"
    factory = factory.restart(site=replace(site, nodes=(replace(a_node("n0"), flavour="cpu", gpus=0),)))
    assert not factory.app.applier.state.scheduler.calendar.promises
    assert factory.job(job)["state"] == "waiting"
    check_all(factory)


def test_a_promise_on_a_node_that_comes_later_is_broken_by_the_operator(tmp_path):
    """A new site file said so, and it was told as a fault of the hardware."""
    site = a_site(a_node("n0"), a_node("n1"))
    factory = new_factory(tmp_path, site=site, budget_eur=10_000)
    running = factory.submit(a_job("sleep 3000", cpus=8, limit_s=3600))
    job = factory.submit(a_job("sleep 60", cpus=8, nodes=2))
    assert set(factory.app.applier.state.scheduler.calendar.promises[job].nodes) == {"n0", "n1"}
    later_ms = factory.clock.now() + 5 * HOUR_MS
    nodes = [one if one.node in places(factory, running) else replace(one, from_ms=later_ms) for one in site.nodes]
    factory = factory.restart(site=replace(site, nodes=tuple(nodes)))
    (broken,) = [decode(one) for one in events_of(factory) if one.kind == "start.unpromised"]
    assert (broken.job, broken.cause) == (job, "operator")
    check_all(factory)


def test_a_booking_that_costs_nothing_loses_a_node_like_any_other(tmp_path):
    """There was no reservation of its month to take nothing from, and the round failed for ever."""
    tariff = replace(TARIFF, version="free", core_hour=0, memory_gib_hour=0, gpu_hour={"h200": 0})
    factory = new_factory(tmp_path, site=a_site(a_node("n0"), a_node("n1")), budget_eur=10)
    factory = factory.restart(tariff=tariff)
    booking, option = booked(factory, nodes=2)
    factory.pass_time(option["from_ms"] - factory.clock.now() + MINUTE_MS)
    tend(factory, Act.LOST, "n1")
    factory.run_rounds()
    assert booking_of(factory, booking).nodes == ("n0",)
    check_all(factory)


def test_a_node_that_carries_spot_takes_the_place_of_a_lost_one(tmp_path):
    factory = new_factory(tmp_path, site=a_site(a_node("n0"), a_node("n1")), budget_eur=10_000)
    booking, option = booked(factory)
    factory.pass_time(option["from_ms"] - factory.clock.now())
    (bad,) = option["nodes"]
    whole = {"cpus": 8, "memory_mib": 16_384, "gpus": 4, "flavour": "h200"}
    own = factory.submit(
        a_job("sleep 3000", booking=booking, limit_s=3600, capacity_class=CapacityClass.RESERVED, **whole)
    )
    spot = factory.submit(a_job("sleep 7000", limit_s=7200, capacity_class=CapacityClass.SPOT, **whole))
    factory.pass_time(MINUTE_MS)
    (other,) = places(factory, spot)
    assert places(factory, own) == [bad]
    tend(factory, Act.LOST, bad)
    assert booking_of(factory, booking).nodes == (other,)
    assert factory.job(spot)["state"] == "stopping"
    factory.pass_time(NOTICE_MS)
    assert places(factory, own) == [bad, other]
    assert row(factory, booking)["price"] == option["price"], "replaced, so nothing is credited"
    check_all(factory)


def test_what_reaches_into_maintenance_names_the_node_and_the_window(factory):
    """It said that the node was taken, as if somebody had been faster."""
    begins_ms = factory.clock.now() + 3 * HOUR_MS
    booking, option = booked(factory)
    later = quoted(factory, from_ms=begins_ms)["options"][0]
    names = tuple(f"n{nth}" for nth in range(4))
    made = factory.perform(close_nodes.command(SYSTEM, targets=Targets(names=names), from_ms=begins_ms, length_ms=HOUR_MS))
    closes = f"closes at {minute_text(begins_ms)} ({made['closure']})"
    assert f"the node {later['nodes'][0]} {closes}" in str(refused(book(factory, later["option"]), Reason.OPTION_TAKEN))
    held = hold_option.command(SYSTEM, project=factory.project, option=later["option"])
    assert closes in str(refused(factory.perform(held), Reason.OPTION_TAKEN))
    longer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=2 * HOUR_MS))
    assert f"the node {option['nodes'][0]} {closes}" in str(refused(longer, Reason.NO_WINDOW))
    tight = refused(quoted(factory, from_ms=begins_ms, until_ms=begins_ms + 150 * MINUTE_MS), Reason.NO_WINDOW)
    assert "within the day that was searched: bookings" in str(tight)
