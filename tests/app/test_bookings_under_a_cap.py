"""Bookings and the cap on a site's power: what is booked at one time is within it together; a cap set later is made good."""

import pytest

from eisbach.app import cap_power, extend_booking, hold_option
from eisbach.app.commands import SYSTEM
from eisbach.app.tend_nodes import Act
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.power.draw import rating_of
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.factory import a_site, new_factory
from tests.app.invariants import check_all
from tests.app.test_bookings import a_node, book, booked, pass_until, quoted, refused, row
from tests.app.test_lost_nodes import tend

RATING = rating_of("h200.4", 8000, 4)
NODE_MW = RATING.rated_mw - RATING.idle_mw


@pytest.fixture
def factory(tmp_path):
    """Four nodes of 4 GPUs in two racks."""
    return new_factory(tmp_path, site=a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4))), budget_eur=10_000)


def cap(factory, nodes, until_ms=0):
    """Cap the site so that so many nodes may work, and the others rest."""
    draw_mw = None if nodes is None else 4 * RATING.idle_mw + nodes * NODE_MW
    facts = factory.app.sites["here"]
    return factory.perform(cap_power.command(SYSTEM, facts, site="here", draw_mw=draw_mw, until_ms=until_ms))


def kilowatt(nodes):
    return f"{nodes * NODE_MW / 1_000_000:,.2f} kW"


def test_a_quote_beside_other_bookings_is_dated_after_them(factory):
    cap(factory, 3)
    _, first = booked(factory, nodes=2)
    both = quoted(factory, nodes=2)["options"][0]
    assert both["from_ms"] == first["until_ms"], "two nodes are free before, and there is power for one"
    assert quoted(factory, nodes=1)["options"][0]["from_ms"] == first["from_ms"]


def test_held_options_count_too(factory):
    cap(factory, 3)
    option = quoted(factory, nodes=2)["options"][0]
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option["option"]))
    assert quoted(factory, nodes=2)["options"][0]["from_ms"] == option["until_ms"]


def test_where_power_never_suffices_the_refusal_has_the_numbers(factory):
    cap(factory, 3)
    answer = refused(quoted(factory, nodes=4), Reason.NO_WINDOW)
    assert (answer.values["needed_mw"], answer.values["left_mw"]) == (4 * NODE_MW, 3 * NODE_MW)
    booked(factory, nodes=2)
    answer = refused(quoted(factory, nodes=2, until_ms=factory.clock.now() + 3 * HOUR_MS), Reason.NO_WINDOW)
    assert (answer.values["needed_mw"], answer.values["left_mw"]) == (2 * NODE_MW, NODE_MW)
    assert kilowatt(2) in str(answer)
    assert kilowatt(1) in str(answer)


def test_a_cap_set_after_the_quote_refuses_what_is_too_much_with_numbers_and_a_later_option(factory):
    ahead = {"nodes": 2, "from_ms": factory.clock.now() + HOUR_MS}
    mine, others = quoted(factory, **ahead)["options"][0], quoted(factory, **ahead)["options"][0]
    assert mine["nodes"] == others["nodes"]
    book(factory, mine["option"])
    later, held = (quoted(factory, **ahead)["options"][0] for _ in range(2))
    assert later["from_ms"] == mine["from_ms"]
    cap(factory, 3)
    answer = refused(book(factory, later["option"]), Reason.OPTION_TAKEN)
    assert f"leaves {kilowatt(1)} beside what is booked then, and {kilowatt(2)} are needed" in str(answer)
    assert answer.values["quote"]["options"][0]["from_ms"] >= mine["until_ms"]
    refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=held["option"])), Reason.OPTION_TAKEN)


def test_a_cap_with_an_end_counts_until_then(factory):
    end = factory.clock.now() + DAY_MS
    cap(factory, 1, until_ms=end)
    first = quoted(factory, nodes=4)["options"][0]
    assert end <= first["from_ms"] < end + MINUTE_MS
    assert quoted(factory, nodes=1)["options"][0]["from_ms"] < end


def test_neither_asked_nor_given_longer_is_above_the_cap(factory):
    booked(factory, nodes=2)
    booking, option = booked(factory, nodes=2, on_fault=OnFault.EXTEND)
    _, after = booked(factory, nodes=2, from_ms=option["until_ms"])
    assert set(after["nodes"]).isdisjoint(option["nodes"]), "the nodes are free for longer"
    cap(factory, 3)
    longer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS))
    assert f"leaves {kilowatt(1)} beside what is booked then, and {kilowatt(2)} are needed" in str(refused(longer, Reason.NO_WINDOW))
    cap(factory, 2)
    pass_until(factory, option["from_ms"])
    tend(factory, Act.LOST, option["nodes"][0])
    found = row(factory, booking)
    assert (found["node_count"], found["until_ms"]) == (1, option["until_ms"])
    assert found["price"] == option["price"] // 2
    check_all(factory)
