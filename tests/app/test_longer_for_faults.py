"""Nodes of a booking fail and nothing takes their place: it lasts longer, or costs less, by itself; never both."""

import pytest
from msgspec.structs import replace

from eisbach.app import cancel_booking, set_budget
from eisbach.app.commands import SYSTEM
from eisbach.app.tend_nodes import Act
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.booking.settle import Stretch, ending_of, longer_for, price_of
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from tests.app.bookings import a_node, booked, pass_until, row
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_all
from tests.app.test_lost_nodes import tend


@pytest.fixture
def factory(tmp_path):
    """Four nodes of 4 GPUs in two racks, all of which a booking takes; it may stay unused."""
    site = a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4)))
    made = new_factory(tmp_path, site=site, budget_eur=10_000)
    return made.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))


def begun(factory, hours=2, **wanted):
    """Book all four nodes, be one hour inside."""
    booking, option = booked(factory, nodes=4, length_ms=hours * HOUR_MS, **{"on_fault": OnFault.EXTEND, **wanted})
    pass_until(factory, option["from_ms"] + HOUR_MS)
    factory.run_rounds()
    return booking, option


def test_the_node_hours_that_were_lost_follow_after_the_end_at_no_price(factory):
    booking, option = begun(factory)
    own = factory.submit(a_job("sleep 3500", booking=booking, capacity_class=CapacityClass.RESERVED, limit_s=3500))
    tend(factory, Act.LOST, "n3")
    found = row(factory, booking)
    assert found["until_ms"] == found["given_until_ms"] == option["until_ms"] + 20 * MINUTE_MS, "one node's hour on three nodes"
    assert (found["price"], found["lost"], found["node_count"]) == (option["price"], "n3", 3)
    longer = factory.submit(a_job("sleep 60", booking=booking, capacity_class=CapacityClass.RESERVED, limit_s=75 * 60))
    pass_until(factory, option["until_ms"] + MINUTE_MS)
    factory.run_rounds()
    assert factory.job(own)["outcome"] == factory.job(longer)["outcome"] == "succeeded"
    assert row(factory, booking)["state"] == "booked"
    assert row(factory, booking)["charged"] < option["price"]
    pass_until(factory, found["until_ms"])
    factory.run_rounds()
    ended = row(factory, booking)
    assert (ended["state"], ended["cause"], ended["charged"]) == ("ended", "over", option["price"])
    check_all(factory)


def test_where_somebody_has_the_nodes_afterwards_the_owner_is_credited(factory):
    booking, option = booked(factory, nodes=4, on_fault=OnFault.EXTEND)
    booked(factory, nodes=1, from_ms=option["until_ms"])
    pass_until(factory, option["from_ms"] + HOUR_MS)
    tend(factory, Act.LOST, "n3")
    found = row(factory, booking)
    assert (found["until_ms"], found["given_until_ms"]) == (option["until_ms"], None)
    assert found["price"] == option["price"] * 7 // 8
    check_all(factory)


def test_who_wants_money_gets_money(factory):
    booking, option = begun(factory, on_fault=OnFault.CREDIT)
    tend(factory, Act.LOST, "n3")
    found = row(factory, booking)
    assert (found["until_ms"], found["price"]) == (option["until_ms"], option["price"] * 7 // 8)
    assert found["on_fault"] == "credit"


def test_a_rest_that_would_last_too_long_is_credited(factory):
    booking, option = begun(factory)
    tend(factory, Act.LOST, "n1", "n2", "n3")
    found = row(factory, booking)
    assert (found["until_ms"], found["price"]) == (option["until_ms"], option["price"] * 5 // 8), "three hours for one are too many"


def test_an_operator_may_never_give_longer(factory):
    factory = factory.restart(tariff=replace(TARIFF, version="short", booking=BookingRules(no_show_ms=0, extension_permille=0)))
    booking, option = begun(factory)
    tend(factory, Act.LOST, "n3")
    assert row(factory, booking)["until_ms"] == option["until_ms"]
    assert row(factory, booking)["price"] == option["price"] * 7 // 8


def test_every_loss_is_made_good_once(factory):
    booking, option = begun(factory, hours=3)
    tend(factory, Act.LOST, "n3")
    first = row(factory, booking)["until_ms"]
    assert first == option["until_ms"] + 40 * MINUTE_MS
    for _ in range(2):
        factory.run_rounds()
        factory = factory.restart()
    assert row(factory, booking)["until_ms"] == first
    tend(factory, Act.LOST, "n2")
    found = row(factory, booking)
    assert found["until_ms"] == first + 80 * MINUTE_MS, "of 160 minutes on three nodes a third goes to the other two"
    assert (found["price"], found["lost"]) == (option["price"], "n3 n2")
    pass_until(factory, found["until_ms"])
    factory.run_rounds()
    assert row(factory, booking)["charged"] == option["price"]
    check_all(factory)


def test_who_does_not_want_the_longer_time_has_his_money_back(factory):
    booking, option = begun(factory)
    tend(factory, Act.LOST, "n3")
    pass_until(factory, option["until_ms"])
    ended = factory.perform(cancel_booking.command(SYSTEM, booking=booking))
    assert (ended["charged"], ended["fee"]) == (option["price"] * 7 // 8, 0)
    check_all(factory)


def test_longer_into_a_month_whose_budget_is_spoken_for_is_credited(factory):
    end = month_end(factory.clock.now())
    booking, option = booked(factory, nodes=4, from_ms=end - 2 * HOUR_MS, until_ms=end, on_fault=OnFault.EXTEND)
    booked(factory, nodes=4, from_ms=end + 10 * DAY_MS, until_ms=end + 10 * DAY_MS + 2 * HOUR_MS)
    factory.perform(set_budget.command(SYSTEM, project=factory.project, budget_micro_eur=option["price"] + EURO))
    pass_until(factory, end - HOUR_MS)
    tend(factory, Act.LOST, "n3")
    found = row(factory, booking)
    assert (found["until_ms"], found["price"]) == (option["until_ms"], option["price"] * 7 // 8)
    check_all(factory)


def test_longer_into_the_next_month_is_paid_from_there(factory):
    end = month_end(factory.clock.now())
    booking, option = booked(factory, nodes=4, from_ms=end - 2 * HOUR_MS, until_ms=end, on_fault=OnFault.EXTEND)
    pass_until(factory, end - HOUR_MS)
    tend(factory, Act.LOST, "n3")
    assert row(factory, booking)["until_ms"] == end + 20 * MINUTE_MS
    check_all(factory)
    pass_until(factory, end + HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["charged"] == option["price"]
    check_all(factory)


@pytest.mark.parametrize("price", [0, 1, 7, 999_999_999_999])
@pytest.mark.parametrize("lost", [1, 2, 6])
def test_the_price_stays_to_the_micro_euro(price, lost):
    before = (Stretch(0, HOUR_MS, price), Stretch(HOUR_MS, 2 * HOUR_MS, price // 3))
    longer = longer_for(before, HOUR_MS // 7, lost, 7)
    assert price_of(longer) == price_of(before)
    assert longer[-1].until_ms % MINUTE_MS == 0
    assert (longer[-1].until_ms - 2 * HOUR_MS) * (7 - lost) >= (2 * HOUR_MS - HOUR_MS // 7) * lost, "no node-hour less"
    assert longer_for(before, 0, 7, 7) is None
    given = ((2 * HOUR_MS, longer[-1].until_ms),)
    assert ending_of(longer, 0, 1000, given).due == price_of(longer) - longer[-1].price
