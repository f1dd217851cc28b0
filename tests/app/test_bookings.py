"""Bookings as customers meet them: booked, used, extended, cancelled, paid; on a clock that is told."""

import pytest
from msgspec.structs import replace

from eisbach.app import (
    cancel_booking,
    drain_node,
    extend_booking,
    hold_option,
    list_bookings,
    observe_use,
    quote_job,
    read_calendar,
    report_cost,
    set_budget,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_end, month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.bookings import (
    NODE_HOUR,
    a_node,
    book,
    booked,
    four_nodes,
    inside,
    left,
    pass_until,
    quoted,
    refused,
    row,
)
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_step


@pytest.fixture
def factory(tmp_path):
    return four_nodes(tmp_path)


def test_a_booking_sets_its_price_aside_and_charges_it_while_its_window_passes(factory):
    booking, option = booked(factory)
    assert left(factory) == 10_000 * EURO - option["price"]
    job = inside(factory, booking, "sleep 5400", limit_s=7000)
    pass_until(factory, option["from_ms"] - 1)
    assert factory.job(job)["state"] == "waiting"
    factory.pass_time(1)
    assert factory.job(job)["state"] == "running", "the nodes are free at the window's first instant"
    assert {one["nodes"] for one in factory.attempts(job)} == {option["nodes"][0]}
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["charged"] == option["price"] // 2
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["state"] == "ended"
    assert row(factory, booking)["charged"] == option["price"]
    assert factory.job(job)["charged"] == 0
    statement = report_cost.of_project(factory.app.reader, factory.project, month_of(factory.clock.now()), "")
    assert [(one["booking"], one["charged"]) for one in statement["bookings"]] == [(booking, option["price"])]
    check_step(factory)


def test_a_booking_of_next_month_is_reserved_there_and_the_month_opens_with_the_rest(factory):
    end = month_end(factory.clock.now())
    booking, option = booked(factory, from_ms=end - HOUR_MS, until_ms=end + HOUR_MS)
    half, coming = option["price"] // 2, month_of(end)
    assert row(factory, booking)["price"] == option["price"]
    state = factory.app.applier.state
    assert state.ledger.balance(account.reserved(factory.project, coming)) == option["price"] - half
    assert left(factory, coming) == 0
    inside(factory, booking, "sleep 7000", limit_s=7200)
    pass_until(factory, end + MINUTE_MS)
    factory.run_rounds()
    factory.submit(a_job("sleep 1"))
    state = factory.app.applier.state
    parts = [state.ledger.balance(name(factory.project, coming)) for name in (account.available, account.reserved, account.charged)]
    assert sum(parts) == 10_000 * EURO, "a month grants its budget and no more"
    check_step(factory)


def test_cancelling_early_is_free_and_late_costs_what_was_said(factory):
    early, option = booked(factory, from_ms=factory.clock.now() + 2 * DAY_MS)
    assert factory.perform(cancel_booking.command(SYSTEM, booking=early))["charged"] == 0
    assert left(factory) == 10_000 * EURO
    late, option = booked(factory)
    waiting = inside(factory, late)
    answer = factory.perform(cancel_booking.command(SYSTEM, booking=late))
    assert (answer["charged"], answer["fee"]) == (option["price"] // 2, option["price"] // 2)
    assert left(factory) == 10_000 * EURO - option["price"] // 2
    assert factory.job(waiting)["reason"] == "BOOKING_OVER"
    refused(factory.perform(cancel_booking.command(SYSTEM, booking=late)), Reason.BOOKING_OVER)
    check_step(factory)


def test_what_nobody_uses_is_given_back(factory):
    booking, option = booked(factory, length_ms=8 * HOUR_MS)
    pass_until(factory, option["from_ms"] + 2 * HOUR_MS)
    factory.run_rounds()
    found = row(factory, booking)
    assert (found["state"], found["cause"]) == ("ended", "no-show")
    quarter = option["price"] // 4
    assert found["charged"] == quarter + (option["price"] - quarter) // 2
    check_step(factory)


def test_a_booking_gets_longer_at_a_quoted_price(factory):
    booking, option = booked(factory)
    quote = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS))
    assert quote["extends"] == booking
    longer = quote["options"][0]
    assert (longer["from_ms"], longer["price"]) == (option["until_ms"], NODE_HOUR)
    assert book(factory, longer["option"])["booking"] == booking
    assert row(factory, booking)["until_ms"] == option["until_ms"] + HOUR_MS
    assert row(factory, booking)["price"] == 3 * NODE_HOUR
    booked(factory, nodes=4, length_ms=HOUR_MS)
    answer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=40 * HOUR_MS))
    refused(answer, Reason.NO_WINDOW)
    check_step(factory)


def test_spot_fills_idle_booked_nodes_pays_the_owner_and_leaves_for_him(tmp_path):
    factory = new_factory(tmp_path, site=a_site(a_node("n0")), budget_eur=10_000)
    rules = BookingRules(no_show_ms=0)
    factory = factory.restart(tariff=replace(TARIFF, version="patient", booking=rules))
    booking, option = booked(factory, length_ms=10 * HOUR_MS)
    pass_until(factory, option["from_ms"] + MINUTE_MS)
    whole = {"cpus": 8, "memory_mib": 16_384, "gpus": 4, "flavour": "h200"}
    spot = factory.submit(a_job("sleep 7200", limit_s=8 * 3600, capacity_class=CapacityClass.SPOT, **whole))
    assert factory.job(spot)["state"] == "running", "the owner is not there"
    factory.pass_time(2 * HOUR_MS + MINUTE_MS)
    factory.run_rounds()
    paid = factory.job(spot)["charged"]
    assert paid > 0
    assert row(factory, booking)["credited"] == paid * 700 // 1000
    again = factory.submit(a_job("sleep 7200", limit_s=5 * 3600, capacity_class=CapacityClass.SPOT, **whole))
    own = inside(factory, booking, "sleep 600", limit_s=3600, **whole)
    factory.pass_time(2 * MINUTE_MS)
    assert factory.job(own)["state"] in ("running", "ended")
    assert factory.job(again)["state"] == "waiting"
    check_step(factory)


def test_ordinary_work_never_runs_into_a_booking(factory):
    _, option = booked(factory, nodes=4, from_ms=factory.clock.now() + HOUR_MS)
    long = factory.submit(a_job("sleep 60", gpus=1, flavour="h200", limit_s=2 * 3600))
    short = factory.submit(a_job("sleep 60", gpus=1, flavour="h200", limit_s=1800))
    assert factory.job(long)["state"] == "waiting"
    assert factory.job(short)["state"] == "running"
    pass_until(factory, option["from_ms"] + MINUTE_MS)
    assert factory.job(long)["state"] == "waiting"


def test_a_bad_node_is_replaced_and_where_that_is_impossible_the_price_falls(factory):
    booking, option = booked(factory, nodes=3, length_ms=4 * HOUR_MS)
    inside(factory, booking, "sleep 60")
    for node in ("n0", "n1"):
        factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=True))
    factory.run_rounds()
    assert set(row(factory, booking)["nodes"].split()) & {"n2", "n3"}
    pass_until(factory, option["from_ms"] + MINUTE_MS)
    factory.run_rounds()
    found = row(factory, booking)
    assert found["node_count"] == 2
    assert found["price"] < option["price"]
    check_step(factory)
    for node in ("n2", "n3"):
        factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=True))
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["cause"] == "lost"
    check_step(factory)


def test_a_budget_is_not_lowered_below_what_is_booked_and_carries_no_more(factory):
    booked(factory, nodes=4, length_ms=20 * HOUR_MS)
    refused(factory.perform(set_budget.command(SYSTEM, project=factory.project, budget_micro_eur=EURO)), Reason.BUDGET_BOOKED)
    option = quoted(factory, nodes=4, length_ms=300 * HOUR_MS)["options"][0]["option"]
    refused(book(factory, option), Reason.OVER_BUDGET)


def test_an_extension_of_no_length_is_refused_in_plain_words(factory):
    booking, _ = booked(factory)
    for length, words in ((-1, "-1 ms longer"), (0, "0 minutes longer"), (1000 * DAY_MS, "1,440,000 minutes longer")):
        answer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=length))
        assert words in refused(answer, Reason.INVALID_ARGUMENT).what


def test_a_task_that_its_booking_cannot_hold_is_refused(factory):
    booking, _ = booked(factory)
    for more, where in (
        ({"limit_s": 3 * 3600}, "time_limit"),
        ({"nodes": 9, "limit_s": 60}, "booking"),
        ({"nodes": 2, "gpus": 4, "flavour": "h200", "limit_s": 60}, "booking"),
        ({"gpus": 5, "flavour": "h200", "limit_s": 60}, None),
        ({"cpus": 9, "limit_s": 60}, None),
        ({"gpus": 1, "flavour": "b200", "limit_s": 60}, None),
    ):
        spec = a_job(booking=booking, capacity_class=CapacityClass.RESERVED, **more)
        answer = factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=spec))
        assert isinstance(answer, Refusal), more
        if where is not None:
            assert refused(answer, Reason.BOOKING_TOO_SMALL).where == where
    fits = a_job("sleep 1", booking=booking, capacity_class=CapacityClass.RESERVED, gpus=4, flavour="h200", limit_s=60)
    assert factory.submit(fits)


def test_a_clock_that_jumps_forward_ends_what_is_over_once(factory):
    booking, option = booked(factory)
    factory.clock.advance(40 * DAY_MS)
    factory.run_rounds()
    assert row(factory, booking)["state"] == "ended"
    assert row(factory, booking)["charged"] == option["price"]
    again = factory.restart()
    again.run_rounds()
    assert row(again, booking)["charged"] == option["price"]
    check_step(again)


def test_bookings_and_holds_survive_a_restart(factory):
    booking, _option = booked(factory, nodes=2)
    held = quoted(factory, nodes=2)["options"][0]["option"]
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=held))
    for crash in (True, False):
        factory = factory.restart(crash=crash)
        assert set(factory.app.applier.state.booking.holds) == {held}
        assert booking in factory.app.applier.state.booking.bookings
        check_step(factory)
    assert book(factory, held)["again"] is False


def test_the_calendar_tells_own_bookings_by_name_and_others_as_numbers(factory):
    booking, _option = booked(factory, nodes=3)
    ask = read_calendar.question(from_ms=None, until_ms=None, projects=set())
    others = factory.ask(ask)
    assert others["bookings"] == []
    pool = others["pools"][0]
    assert [(step["booked"], step["free"]) for step in pool["steps"]] == [(0, 4), (3, 1), (0, 4)]
    mine = factory.ask(read_calendar.question(from_ms=None, until_ms=None, projects={factory.project}))
    assert [one["booking"] for one in mine["bookings"]] == [booking]


def test_a_booking_counts_as_sold_while_its_window_is_open_and_only_then(factory):
    _booking, option = booked(factory, nodes=2)

    def gpus_sold():
        return next(use.sold for use in factory.call(observe_use.use_of) if use.resource == "gpu_milli") // 1000

    assert gpus_sold() == 0
    pass_until(factory, option["from_ms"])
    assert gpus_sold() == 8


def test_the_plan_of_a_task_inside_a_booking_costs_nothing_and_starts_with_the_window(factory):
    booking, option = booked(factory)
    spec = a_job(booking=booking, capacity_class=CapacityClass.RESERVED)
    plan = factory.ask(quote_job.question(project=factory.project, spec=spec, by=SYSTEM.token))
    assert (plan["cap"], plan["starts_at_once"], plan["start_promised_ms"]) == (0, False, option["from_ms"])


def test_what_is_shown_follows_the_clock_and_does_not_wait_for_a_round(factory):
    """It said that a window that was open was booked, and one that was over as well, until the next round."""
    booking, option = booked(factory)
    inside(factory, booking, "sleep 60", limit_s=600)
    shown = []
    for at_ms in (option["from_ms"] - 1, option["from_ms"], option["until_ms"] - 1, option["until_ms"]):
        pass_until(factory, at_ms)
        told = list_bookings.told(row(factory, booking), factory.clock.now())
        shown.append((told["state"], told["cause"], bool(factory.ask(list_bookings.question(booking=booking)))))
    assert shown == [("booked", "", True), ("open", "", True), ("open", "", True), ("ended", "over", False)]
    assert row(factory, booking)["state"] == "booked", "no round has run"
    factory.run_rounds()
    assert list_bookings.told(row(factory, booking), factory.clock.now())["ended_ms"] == option["until_ms"]


def test_a_window_that_is_over_is_neither_cancelled_nor_extended_before_the_round(factory):
    """Cancelling it, or a quote for time that had passed, was possible until the next round."""
    booking, option = booked(factory)
    pass_until(factory, option["until_ms"] - MINUTE_MS)
    longer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS))
    factory.pass_time(MINUTE_MS)
    refused(factory.perform(cancel_booking.command(SYSTEM, booking=booking)), Reason.BOOKING_OVER)
    refused(factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS)), Reason.BOOKING_OVER)
    refused(book(factory, longer["options"][0]["option"]), Reason.BOOKING_OVER)
    factory.run_rounds()
    assert (row(factory, booking)["cause"], row(factory, booking)["charged"]) == ("over", option["price"])


def test_a_calendar_that_ends_before_it_begins_is_refused(factory):
    """It was an empty one."""
    now = factory.clock.now()
    for from_ms, until_ms in ((now, now), (now + DAY_MS, now), (None, now - 1)):
        answer = refused(factory.ask(read_calendar.question(from_ms=from_ms, until_ms=until_ms, projects=None)), Reason.INVALID_ARGUMENT)
        assert "would end at" in str(answer)
    assert factory.ask(read_calendar.question(from_ms=now, until_ms=now + 1, projects=None))["until_ms"] == now + 1
