"""Bookings and the cap on a site's power: what is booked at one time is within it together; a cap set later is made good."""

import pytest
from msgspec.structs import replace

from eisbach.app import cancel_booking, cap_power, extend_booking, hold_option
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import decode
from eisbach.app.rounds import Round
from eisbach.app.tend_nodes import Act
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.power.budget import Connection, Derating
from eisbach.core.power.cooling import Cooling
from eisbach.core.power.draw import rating_of
from eisbach.core.power.series import Series
from eisbach.core.power.supply import Supply
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.bookings import a_node, book, booked, pass_until, quoted, refused, row
from tests.app.factory import TARIFF, a_site, new_factory
from tests.app.invariants import check_all, events_of
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


def begun(factory, hours=4):
    """Book two nodes in each of two bookings, be at the first instant of both."""
    first, option = booked(factory, nodes=2, length_ms=hours * HOUR_MS)
    second, _ = booked(factory, nodes=2, length_ms=hours * HOUR_MS)
    pass_until(factory, option["from_ms"])
    factory.run_rounds()
    return first, second, option


def test_time_that_a_cap_does_not_carry_costs_less_and_no_more_than_that(factory):
    factory = factory.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
    first, second, option = begun(factory)
    hour = option["price"] // 4
    cap(factory, 3)
    for _ in range(4):
        factory.pass_time(HOUR_MS // 4)
        factory.run_rounds()
        factory = factory.restart()
    cap(factory, 1)
    factory.pass_time(HOUR_MS)
    cap(factory, None)
    for booking in (first, second):
        found = row(factory, booking)
        assert found["charged"] == hour * 3 // 4 + hour // 4, "an hour with three of four nodes, an hour with one"
        assert found["relieved"] == hour // 4 + hour * 3 // 4
        assert found["price"] == option["price"] - found["relieved"]
    check_all(factory)
    pass_until(factory, option["until_ms"])
    factory.run_rounds()
    assert row(factory, first)["charged"] == 3 * hour
    check_all(factory)


def test_a_cap_that_stays_makes_no_settlement_larger_than_the_one_before(factory):
    """Each hour cut off another stretch, and each event held all of them: a year under a cap were gigabytes of them."""
    factory = factory.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
    booking, option = booked(factory, nodes=4, length_ms=24 * HOUR_MS)
    pass_until(factory, option["from_ms"])
    factory.run_rounds()
    cap(factory, 3)
    for _ in range(24):
        factory.pass_time(HOUR_MS)
        factory.run_rounds()
    settled = [decode(one) for one in events_of(factory) if one.kind == "booking.settled"]
    assert len(settled) >= 24
    assert max(len(one.stretches) for one in settled) <= 2
    assert row(factory, booking)["charged"] == option["price"] * 3 // 4
    check_all(factory)


def test_a_cap_from_before_the_window_counts_from_its_first_instant(factory):
    booking, option = booked(factory, nodes=4, length_ms=2 * HOUR_MS)
    cap(factory, 3)
    pass_until(factory, option["from_ms"])
    factory.run_rounds()
    factory.pass_time(HOUR_MS // 4)
    answer = factory.perform(cancel_booking.command(SYSTEM, booking=booking))
    passed = option["price"] // 8 * 3 // 4
    assert answer["charged"] == passed + (option["price"] - option["price"] // 8) // 2
    assert row(factory, booking)["relieved"] == option["price"] // 8 // 4
    check_all(factory)


def test_who_loses_a_node_under_a_cap_pays_for_neither(factory):
    factory = factory.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
    booking, option = booked(factory, nodes=4, length_ms=2 * HOUR_MS)
    pass_until(factory, option["from_ms"])
    factory.run_rounds()
    cap(factory, 2)
    factory.pass_time(HOUR_MS)
    tend(factory, Act.LOST, "n0", "n1")
    cap(factory, None)
    pass_until(factory, option["until_ms"])
    factory.run_rounds()
    assert row(factory, booking)["charged"] == option["price"] // 4 + option["price"] // 4
    check_all(factory)


def test_relief_begins_in_the_batch_that_opens_the_window_and_no_round_is_waited_for(factory):
    """Under a cap from before, the first seconds of a window cost their full price, up to the next round."""
    factory = factory.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
    cap(factory, 4)
    first, option = booked(factory, nodes=2, length_ms=4 * HOUR_MS)
    second, after = booked(factory, nodes=2, from_ms=option["from_ms"] + HOUR_MS, length_ms=HOUR_MS)
    cap(factory, 3)
    short = []
    for at_ms in (option["from_ms"], after["from_ms"], after["until_ms"]):
        factory = factory.restart()
        pass_until(factory, at_ms)
        short.append([one.short_permille for one in factory.app.applier.state.booking.bookings.values()])
    assert short == [[0, 0], [250, 250], [0, 250]], "no round has run: what is over shares no more"
    factory.pass_time(HOUR_MS)
    factory.perform(cancel_booking.command(SYSTEM, booking=first))
    assert row(factory, first)["relieved"] == option["price"] // 4 // 4
    factory.run_rounds()
    assert row(factory, second)["relieved"] == after["price"] // 4
    check_all(factory)


def test_who_is_left_alone_with_a_cap_is_relieved_no_more_at_once(factory):
    cap(factory, 4)
    first, option = booked(factory, nodes=2)
    second, _ = booked(factory, nodes=2)
    cap(factory, 3)
    pass_until(factory, option["from_ms"])
    bookings = factory.app.applier.state.booking.bookings
    assert [one.short_permille for one in bookings.values()] == [250, 250]
    factory.perform(cancel_booking.command(SYSTEM, booking=first))
    assert [(name, one.short_permille) for name, one in bookings.items()] == [(second, 0)]
    check_all(factory)


PLANT_ROUND = Round("cap", 1, cap_power.cap_power)


def hot(factory, by_hour):
    """A connection that just carries all nodes at 30 degrees of the air and one of four at 31; so many degrees more by the hour than 20."""
    most_mw, one_mw = 4 * RATING.rated_mw, 4 * RATING.idle_mw + NODE_MW * 3 // 2
    connection = Connection(
        grid_mw=most_mw + 1_000,
        supply=Supply(rated_mw=most_mw, proportional_ppm=0, square_ppm=0),
        cooling=Cooling(chillers_mw=2 * most_mw, chiller_cop_milli=10**12),
        air=Series(monthly=(20_000,) * 12, hourly=by_hour),
        derating=Derating(above_mc=30_000, permille_per_k=1000 - one_mw * 1000 // most_mw, least_permille=1),
    )
    factory.app.sites = {"here": replace(factory.app.sites["here"], power=connection)}
    factory.run_rounds(PLANT_ROUND)


def test_a_cap_of_the_plant_counts_until_its_series_foresee_that_it_carries_all_again(factory):
    """A hot afternoon counted for all the future: the whole site could not be booked for December."""
    now = factory.clock.now()
    hour = now % DAY_MS // HOUR_MS
    hot(factory, tuple(11_000 if (nth - hour) % 24 < 3 else 0 for nth in range(24)))
    ends = now - now % HOUR_MS + 3 * HOUR_MS
    assert factory.app.applier.state.energy.caps["here"]["plant"].until_ms == ends
    quote = quoted(factory, nodes=4)
    assert quote["options"][0]["from_ms"] == ends
    assert quote["power_caps"] == [{"site": "here", "source": "plant", "cause": "hot day", "counts_until_ms": ends}]
    assert quoted(factory, nodes=1)["options"][0]["from_ms"] < ends
    factory.pass_time(ends - now)
    factory.run_rounds(PLANT_ROUND)
    assert factory.app.applier.state.energy.caps == {}
    check_all(factory)


def test_a_cap_of_the_plant_without_an_end_in_sight_counts_for_all_time(factory):
    hot(factory, (11_000,) * 24)
    assert factory.app.applier.state.energy.caps["here"]["plant"].until_ms == 0
    refused(quoted(factory, nodes=4), Reason.NO_WINDOW)
    assert quoted(factory)["power_caps"][0]["counts_until_ms"] is None


def test_a_plant_that_is_still_capped_when_its_end_has_come_says_so_anew(factory):
    now = factory.clock.now()
    hour = now % DAY_MS // HOUR_MS
    hot(factory, tuple(11_000 if nth == hour else 0 for nth in range(24)))
    foreseen = factory.app.applier.state.energy.caps["here"]["plant"].until_ms
    factory.pass_time(foreseen - now)
    hot(factory, (11_000,) * 24)
    plant = factory.app.applier.state.energy.caps["here"]["plant"]
    assert (plant.until_ms, plant.racks_mw > 0) == (0, True)
    refused(quoted(factory, nodes=4), Reason.NO_WINDOW)
