"""Bookings where they are paid: lines of their own on the invoice and in the FOCUS export, to the micro-euro of the ledger."""

from decimal import Decimal

import pytest
from lxml import etree
from msgspec.structs import replace

from eisbach.app import cancel_booking
from eisbach.app.commands import SYSTEM
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.invoice import RESOLD
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from tests.adapters.e_invoice_rules import broken_german_rules, check
from tests.app.billing import address, document, file_of, issue, month
from tests.app.bookings import a_node, booked, pass_until, row
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.test_export_focus import rows

WHOLE = {"cpus": 8, "memory_mib": 16_384, "gpus": 4, "flavour": "h200"}


@pytest.fixture
def factory(tmp_path):
    """One node of 4 GPUs; a booking may stay unused."""
    made = new_factory(tmp_path, site=a_site(a_node("n0")), budget_eur=10_000)
    made = made.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
    address(made)
    return made


def over(factory):
    """A booking of three hours in which spot ran for two, until it is over and paid."""
    booking, option = booked(factory, length_ms=3 * HOUR_MS)
    pass_until(factory, option["from_ms"] + MINUTE_MS)
    spot = factory.submit(a_job("sleep 7200", limit_s=9000, capacity_class=CapacityClass.SPOT, **WHOLE))
    for _ in range(4):
        factory.pass_time(HOUR_MS)
        factory.run_rounds()
    assert factory.job(spot)["charged"] > 0
    assert row(factory, booking)["state"] == "ended"
    return booking, option


def test_an_invoice_has_a_line_for_the_window_and_one_for_what_spot_paid(factory):
    booking, option = over(factory)
    made = issue(factory)
    lines = {line.supply.capacity_class: line for line in document(factory, made["invoice"]).lines}
    assert set(lines) == {"reserved", RESOLD, "spot"}
    assert lines["reserved"].amount == option["price"]
    assert lines["reserved"].supply.price == option["price"] // 3, "an hour of the window"
    assert lines[RESOLD].amount == -row(factory, booking)["credited"] < 0
    net = factory.app.applier.state.ledger.balance(account.charged(factory.project, month(factory)))
    assert sum(line.amount for line in lines.values()) == net
    content = file_of(factory, made["invoice"])
    check(content)
    assert broken_german_rules(etree.fromstring(content)) == []
    for text in ("h200.4, reserved", "h200.4, spot", "Leerlauf"):
        assert text.encode() in content, text


def test_focus_has_rows_of_bookings_as_commitments(factory):
    booking, option = over(factory)
    found = [one for one in rows(factory) if one["ResourceType"] == "booking"]
    assert {one["ResourceId"] for one in found} == {booking}
    assert {one["PricingCategory"] for one in found} == {"Committed"}
    costs = {one["x_CapacityClass"]: Decimal(one["BilledCost"]) for one in found}
    assert costs == {
        "reserved": Decimal(option["price"]) / 1_000_000,
        RESOLD: -Decimal(row(factory, booking)["credited"]) / 1_000_000,
    }
    assert {one["ChargeCategory"] for one in found} == {"Usage", "Credit"}
    net = factory.app.applier.state.ledger.balance(account.charged(factory.project, month(factory)))
    assert sum(Decimal(one["BilledCost"]) for one in rows(factory)) == Decimal(net) / 1_000_000


def test_a_window_over_the_turn_of_a_month_is_billed_in_both(factory):
    end = month_end(factory.clock.now())
    before = month(factory)
    booking, option = booked(factory, from_ms=end - HOUR_MS, until_ms=end + 2 * HOUR_MS, length_ms=3 * HOUR_MS)
    pass_until(factory, end + 3 * HOUR_MS)
    factory.run_rounds()
    first, second = issue(factory, before), issue(factory)
    amounts = [line.amount for made in (first, second) for line in document(factory, made["invoice"]).lines]
    assert amounts == [option["price"] // 3, option["price"] - option["price"] // 3]
    assert row(factory, booking)["charged"] == sum(amounts)


def test_a_fee_for_cancelling_is_billed_as_the_booking_was(factory):
    booking, option = booked(factory)
    factory.perform(cancel_booking.command(SYSTEM, booking=booking))
    (line,) = document(factory, issue(factory)["invoice"]).lines
    assert (line.amount, line.supply.capacity_class) == (option["price"] // 2, "reserved")
