"""Bookings as customers meet them: quoted, held, booked, used, extended, cancelled, paid; on a clock that is told."""

from dataclasses import replace

import pytest

from eisbach.app import (
    book_capacity,
    cancel_booking,
    close_nodes,
    create_project,
    drain_node,
    extend_booking,
    hold_option,
    observe_use,
    quote_capacity,
    quote_job,
    read_calendar,
    report_cost,
    set_budget,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.app.site_facts import NodeFacts
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_end, month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_step

NODE_HOUR = 4 * TARIFF.gpu_hour["h200"] + 8 * TARIFF.core_hour + 16 * TARIFF.memory_gib_hour


def a_node(name, rack="r1"):
    return NodeFacts(
        node=name, pool="p", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4, hall="h", row="w", rack=rack
    )


@pytest.fixture
def factory(tmp_path):
    """Four nodes of 4 GPUs in two racks, and a budget of 10,000 euro a month."""
    site = a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4)))
    return new_factory(tmp_path, site=site, budget_eur=10_000)


def quoted(factory, project=None, **wanted):
    asked = Wanted(**{"flavour": "h200", "nodes": 1, "length_ms": 2 * HOUR_MS, **wanted})
    return factory.perform(quote_capacity.command(SYSTEM, factory.app.sites, project=project or factory.project, wanted=asked))


def book(factory, option, project=None, on_fault=OnFault.CREDIT):
    return factory.perform(
        book_capacity.command(SYSTEM, factory.app.sites, project=project or factory.project, option=option, on_fault=on_fault)
    )


def booked(factory, nth=0, on_fault=OnFault.CREDIT, **wanted):
    option = quoted(factory, **wanted)["options"][nth]
    made = book(factory, option["option"], on_fault=on_fault)
    assert not isinstance(made, Refusal), str(made)
    return made["booking"], option


def row(factory, booking):
    return factory.app.reader.row("bookings", booking)


def left(factory, period=None):
    state = factory.app.applier.state
    return state.ledger.balance(account.available(factory.project, period or month_of(factory.clock.now())))


def inside(factory, booking, run="sleep 1800", **more):
    """Submit a job inside a booking."""
    more = {"limit_s": 3000, **more}
    return factory.submit(a_job(run, booking=booking, capacity_class=CapacityClass.RESERVED, **more))


def pass_until(factory, at_ms):
    factory.pass_time(max(0, at_ms - factory.clock.now()))


def refused(answer, reason):
    assert isinstance(answer, Refusal), answer
    assert answer.reason is reason, str(answer)
    assert answer.do
    return answer


def test_a_quote_names_nodes_times_prices_and_energy(factory):
    quote = quoted(factory, nodes=2, within="rack")
    first = quote["options"][0]
    assert first["marks"][:2] == ["earliest", "cheapest"]
    assert first["nodes"] == ["n0", "n1"]
    assert (first["level"], first["domain"]) == ("rack", "h/w/r0")
    assert first["until_ms"] - first["from_ms"] == 2 * HOUR_MS
    assert first["price"] == 2 * 2 * NODE_HOUR
    assert first["energy_wh"] > 0
    assert quote["expires_ms"] == factory.clock.now() + 15 * MINUTE_MS


@pytest.mark.parametrize("number", ["0", "01", "-1", "+1", "1.1", "", "\u0661", "9" * 90])
def test_an_option_has_one_name(factory, number):
    quote = quoted(factory)["quote"]
    refused(book(factory, f"{quote}.{number}"), Reason.QUOTE_EXPIRED)
    refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=f"{quote}.{number}")), Reason.QUOTE_EXPIRED)


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


def test_an_option_booked_twice_is_one_booking(factory):
    option = quoted(factory)["options"][0]["option"]
    first, second = book(factory, option), book(factory, option)
    assert first["booking"] == second["booking"]
    assert (first["again"], second["again"]) == (False, True)
    assert len(factory.app.applier.state.booking.bookings) == 1


def test_a_quote_is_good_for_one_booking(factory):
    first, second, *_ = (one["option"] for one in quoted(factory)["options"])
    made = book(factory, first)["booking"]
    before = factory.app.applier.state.next_seq
    answer = refused(book(factory, second), Reason.ALREADY_BOOKED)
    assert answer.values["booking"] == made
    assert made in str(answer)
    kept = factory.perform(hold_option.command(SYSTEM, project=factory.project, option=second))
    assert refused(kept, Reason.ALREADY_BOOKED).values["booking"] == made
    assert factory.app.applier.state.next_seq == before, "nothing half done"
    assert book(factory, first)["again"] is True
    factory.perform(cancel_booking.command(SYSTEM, booking=made))
    refused(book(factory, second), Reason.ALREADY_BOOKED)


def test_what_else_of_a_quote_is_held_is_let_go_when_one_option_is_booked(factory):
    first, second, *_ = quoted(factory, nodes=4)["options"]
    rival = quoted(factory, nodes=4, from_ms=second["from_ms"])["options"][0]["option"]
    for one in (first, second):
        factory.perform(hold_option.command(SYSTEM, project=factory.project, option=one["option"]))
    made = book(factory, first["option"])
    assert not factory.app.applier.state.booking.holds
    refused(book(factory, second["option"]), Reason.ALREADY_BOOKED)
    assert not isinstance(book(factory, rival), Refusal), "its nodes are free again"
    again = factory.restart()
    assert book(again, first["option"])["booking"] == made["booking"]
    check_step(again)


def test_a_booking_that_fails_lets_go_of_nothing(factory):
    first, second, *_ = (one["option"] for one in quoted(factory, nodes=4, length_ms=300 * HOUR_MS)["options"])
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=first))
    refused(book(factory, second), Reason.OVER_BUDGET)
    assert set(factory.app.applier.state.booking.holds) == {first}


def test_a_held_option_outlives_its_quote_and_what_was_not_held_does_not(factory):
    options = [one["option"] for one in quoted(factory, from_ms=factory.clock.now() + 5 * HOUR_MS)["options"]]
    factory.pass_time(14 * MINUTE_MS)
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=options[0]))
    factory.pass_time(5 * MINUTE_MS)
    quoted(factory)  # a new quote forgets those that are over
    refused(book(factory, options[1]), Reason.QUOTE_EXPIRED)
    refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=options[1])), Reason.QUOTE_EXPIRED)
    assert book(factory, options[0])["again"] is False
    refused(book(factory, options[1]), Reason.ALREADY_BOOKED)


def test_whoever_is_late_gets_new_options_and_nothing_half_done(factory):
    mine, theirs = quoted(factory, nodes=4), quoted(factory, nodes=4)
    book(factory, mine["options"][0]["option"])
    before = left(factory)
    answer = refused(book(factory, theirs["options"][0]["option"]), Reason.OPTION_TAKEN)
    again = answer.values["quote"]
    assert again["options"][0]["from_ms"] >= mine["options"][0]["until_ms"]
    assert left(factory) == before
    assert not isinstance(book(factory, again["options"][0]["option"]), Refusal)


def test_a_quote_expires_and_an_unknown_option_is_answered_the_same(factory):
    option = quoted(factory)["options"][0]["option"]
    factory.pass_time(15 * MINUTE_MS)
    refused(book(factory, option), Reason.QUOTE_EXPIRED)
    refused(book(factory, "quo_none.1"), Reason.QUOTE_EXPIRED)
    refused(book(factory, "nonsense"), Reason.QUOTE_EXPIRED)
    refused(book(factory, option.replace(".1", ".99")), Reason.QUOTE_EXPIRED)


def test_an_option_of_another_project_is_as_unknown_as_none(factory):
    org = next(iter(factory.app.applier.state.organisations))
    made = create_project.command(SYSTEM, organisation=org, name="other", budget_micro_eur=10_000 * EURO)
    other = factory.perform(made)["project"]
    option = quoted(factory)["options"][0]["option"]
    refused(book(factory, option, other), Reason.QUOTE_EXPIRED)
    refused(factory.perform(hold_option.command(SYSTEM, project=other, option=option)), Reason.QUOTE_EXPIRED)
    booking, _ = booked(factory)
    spec = a_job(booking=booking, capacity_class=CapacityClass.RESERVED)
    refused(factory.perform(submit_job.command(SYSTEM, project=other, spec=spec)), Reason.NOT_FOUND)


def test_a_held_option_is_kept_for_some_minutes_and_then_free(factory):
    option = quoted(factory, nodes=4, from_ms=factory.clock.now() + HOUR_MS)["options"][0]
    rival = quoted(factory, nodes=4, from_ms=factory.clock.now() + HOUR_MS)["options"][0]
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option["option"]))
    refused(book(factory, rival["option"]), Reason.OPTION_TAKEN)
    factory.pass_time(10 * MINUTE_MS)
    factory.run_rounds()
    assert not factory.app.applier.state.booking.holds
    assert not isinstance(book(factory, rival["option"]), Refusal)


def test_a_project_holds_only_so_many_options(factory):
    options = [quoted(factory, from_ms=factory.clock.now() + hours * HOUR_MS)["options"][0]["option"] for hours in (1, 4, 7, 10)]
    for option in options[:3]:
        factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option))
    fourth = hold_option.command(SYSTEM, project=factory.project, option=options[3])
    refused(factory.perform(fourth), Reason.TOO_MANY_HOLDS)
    factory.perform(hold_option.release(SYSTEM, project=factory.project, option=options[0]))
    assert factory.perform(fourth)["held_until_ms"]


def test_a_hold_that_never_was_is_not_let_go_silently(factory):
    (option, *_) = [one["option"] for one in quoted(factory)["options"]]
    for absent in ("quote_0.1", option.rpartition(".")[0] + ".99", option.replace(".1", ".01"), ""):
        refused(factory.perform(hold_option.release(SYSTEM, project=factory.project, option=absent)), Reason.NOT_FOUND)
    release = hold_option.release(SYSTEM, project=factory.project, option=option)
    factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option))
    for _ in range(2):  # said twice it is let go once
        assert factory.perform(release) == {"option": option, "held_until_ms": 0}


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


@pytest.mark.parametrize(
    ("wanted", "reason", "where"),
    [
        ({"from_ms": 0}, Reason.INVALID_ARGUMENT, "from"),
        ({"length_ms": 0}, Reason.INVALID_ARGUMENT, "length"),
        ({"length_ms": -HOUR_MS}, Reason.INVALID_ARGUMENT, "length"),
        ({"length_ms": 10_000 * DAY_MS}, Reason.INVALID_ARGUMENT, "length"),
        ({"length_ms": 10**30}, Reason.INVALID_ARGUMENT, "length"),
        ({"nodes": 0}, Reason.INVALID_ARGUMENT, "nodes"),
        ({"nodes": 5}, Reason.MORE_THAN_THE_SITE, "nodes"),
        ({"flavour": "b200"}, Reason.NO_SUCH_FLAVOUR, "flavour"),
        ({"within": "universe"}, Reason.INVALID_ARGUMENT, "within"),
        ({"nodes": 3, "within": "rack"}, Reason.NO_WINDOW, "within"),
        ({"from_ms": 10**16}, Reason.INVALID_ARGUMENT, "from"),
        ({"until_ms": 10**16}, Reason.INVALID_ARGUMENT, "until"),
        ({"until_ms": 1}, Reason.INVALID_ARGUMENT, "until"),
    ],
)
def test_what_cannot_be_booked_is_refused_by_the_field(factory, wanted, reason, where):
    before = factory.app.applier.state.next_seq
    assert refused(quoted(factory, **wanted), reason).where == where
    assert factory.app.applier.state.next_seq == before, "nothing half done"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"length_ms": -1}, "A booking of -1 ms is not possible"),
        ({"length_ms": 90_001}, "A booking of 90,001 ms is not possible"),
        ({"length_ms": MINUTE_MS}, "A booking of 1 minute is not possible"),
        ({"from_ms": 1_779_000_000_000}, "The window begins at 2026-05-17 06:40 UTC, which is past: it is 2026-05-28 20:26 UTC"),
        ({"until_ms": 1_900_000_000_000}, "The window ends at 2030-03-17 17:46 UTC, more than 731 days ahead"),
        ({"from_ms": 1_900_000_000_000}, "The window ends at 2030-03-17 19:46 UTC, more than 731 days ahead"),
        ({"until_ms": 1_780_000_900_000}, "120 minutes do not fit between 2026-05-28 20:32 UTC"),
    ],
)
def test_a_refusal_says_which_value_was_wrong(factory, wanted, words):
    assert words in refused(quoted(factory, **wanted), Reason.INVALID_ARGUMENT).what


def test_an_extension_of_no_length_is_refused_in_plain_words(factory):
    booking, _ = booked(factory)
    for length, words in ((-1, "-1 ms longer"), (0, "0 minutes longer"), (1000 * DAY_MS, "1,440,000 minutes longer")):
        answer = factory.perform(extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=length))
        assert words in refused(answer, Reason.INVALID_ARGUMENT).what


def test_a_quote_inside_a_maintenance_window_names_it(factory):
    now, targets = factory.clock.now(), Targets(names=("n0", "n1", "n2", "n3"))
    closed = close_nodes.command(SYSTEM, targets=targets, from_ms=now + HOUR_MS, length_ms=10 * HOUR_MS)
    closure = factory.perform(closed)["closure"]
    answer = refused(quoted(factory, from_ms=now + 2 * HOUR_MS, until_ms=now + 8 * HOUR_MS), Reason.NO_WINDOW)
    assert answer.values["closures"] == [closure]
    assert f"{closure} closes 4 nodes from 2026-05-28 21:26 UTC until 2026-05-29 07:26 UTC" in answer.what
    booked(factory, nodes=4, from_ms=now + 12 * HOUR_MS, length_ms=4 * HOUR_MS)
    answer = refused(quoted(factory, from_ms=now + 12 * HOUR_MS, until_ms=now + 15 * HOUR_MS), Reason.NO_WINDOW)
    assert answer.values["closures"] == [], "it is over by then"


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("jump_ms", [-40 * DAY_MS, 40 * DAY_MS])
def test_a_quote_after_the_clock_was_set(factory, is_held, jump_ms):
    """The clock never runs back: what was given keeps its time, and after a leap forward it is over."""
    option = quoted(factory, from_ms=factory.clock.now() + 5 * HOUR_MS)["options"][0]["option"]
    if is_held:
        factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option))
    factory.clock.set_wall(factory.clock.now() + jump_ms)
    factory = factory.restart()
    factory.run_rounds()
    if jump_ms > 0:
        refused(book(factory, option), Reason.QUOTE_EXPIRED)
        assert not factory.app.applier.state.booking.holds
    else:
        assert bool(factory.app.applier.state.booking.holds) is is_held
        factory.pass_time(4 * MINUTE_MS)
        made = book(factory, option)
        assert made["again"] is False
        factory.pass_time(15 * MINUTE_MS)
        refused(book(factory, quoted(factory)["options"][0]["option"].replace("quo_", "quo_0")), Reason.QUOTE_EXPIRED)
        assert book(factory, option)["booking"] == made["booking"]
    check_step(factory)


@pytest.mark.parametrize("is_held", [False, True])
def test_a_quote_expires_to_the_millisecond(factory, is_held):
    option = quoted(factory, from_ms=factory.clock.now() + 5 * HOUR_MS)["options"][0]["option"]
    if is_held:
        factory.pass_time(5 * MINUTE_MS)
        factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option))
        factory.pass_time(10 * MINUTE_MS)
    else:
        factory.pass_time(15 * MINUTE_MS)
    refused(book(factory, option), Reason.QUOTE_EXPIRED)
    refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option)), Reason.QUOTE_EXPIRED)


def test_a_project_that_is_not_there_gets_no_quote(factory):
    refused(quoted(factory, project="prj_none"), Reason.NOT_FOUND)


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
    plan = factory.ask(quote_job.question(project=factory.project, spec=spec))
    assert (plan["cap"], plan["starts_at_once"], plan["start_promised_ms"]) == (0, False, option["from_ms"])
