"""Quotes and what is held of them: options with prices that hold for a while, one booking each, and refusals that name the value."""


import pytest

from eisbach.app import (
    cancel_booking,
    close_nodes,
    create_project,
    extend_booking,
    hold_option,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.interval import minute_text
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.bookings import NODE_HOUR, book, booked, four_nodes, left, quoted, refused
from tests.app.factory import a_job
from tests.app.invariants import check_step


@pytest.fixture
def factory(tmp_path):
    return four_nodes(tmp_path)


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
        ({"until_ms": 0}, Reason.INVALID_ARGUMENT, "until"),  # it was taken as no end
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
        ({"until_ms": 0}, "The window ends by 1970-01-01 00:00 UTC, which is past: it is 2026-05-28 20:26 UTC"),
        ({"until_ms": 1_900_000_000_000}, "The window ends at 2030-03-17 17:46 UTC, more than 731 days ahead"),
        ({"from_ms": 1_900_000_000_000}, "The window ends at 2030-03-17 19:46 UTC, more than 731 days ahead"),
        ({"until_ms": 1_780_000_900_000}, "120 minutes do not fit between 2026-05-28 20:32 UTC"),
    ],
)
def test_a_refusal_says_which_value_was_wrong(factory, wanted, words):
    assert words in refused(quoted(factory, **wanted), Reason.INVALID_ARGUMENT).what


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


@pytest.mark.parametrize("act", ["book", "quote", "hold again"])
def test_a_hold_that_is_over_keeps_nobody_from_its_nodes_until_the_round(factory, act):
    """For up to ten seconds its nodes were taken."""
    ahead = {"nodes": 4, "from_ms": factory.clock.now() + HOUR_MS}
    held, rival = (quoted(factory, **ahead)["options"][0] for _ in range(2))
    hold = hold_option.command(SYSTEM, project=factory.project, option=held["option"])
    until_ms = factory.perform(hold)["held_until_ms"]
    factory.pass_time(until_ms - factory.clock.now())
    assert factory.app.applier.state.booking.holds, "no round has run"
    if act == "book":
        assert not isinstance(book(factory, rival["option"]), Refusal)
    elif act == "quote":
        assert quoted(factory, **ahead)["options"][0]["from_ms"] == held["from_ms"]
    else:
        assert factory.perform(hold)["held_until_ms"] > until_ms


def test_who_comes_too_late_is_told_when_his_quote_expired(factory):
    quote = quoted(factory)
    option = quote["options"][0]["option"]
    factory.pass_time(quote["expires_ms"] - factory.clock.now())
    said = f"its quote expired at {minute_text(quote['expires_ms'])}"
    assert said in str(refused(book(factory, option), Reason.QUOTE_EXPIRED))
    assert said in str(refused(factory.perform(hold_option.command(SYSTEM, project=factory.project, option=option)), Reason.QUOTE_EXPIRED))
    for unknown in (option.replace(".1", ".9"), "quo_none.1"):
        assert "or there was none" in str(refused(book(factory, unknown), Reason.QUOTE_EXPIRED))


def test_a_hold_that_is_over_is_in_no_way_of_an_extension(factory):
    booking, option = booked(factory, nodes=4)
    after = quoted(factory, nodes=4, from_ms=option["until_ms"])["options"][0]["option"]
    until_ms = factory.perform(hold_option.command(SYSTEM, project=factory.project, option=after))["held_until_ms"]
    longer = extend_booking.command(SYSTEM, factory.app.sites, booking=booking, length_ms=HOUR_MS)
    factory.pass_time(until_ms - 1 - factory.clock.now())
    refused(factory.perform(longer), Reason.NO_WINDOW)
    factory.pass_time(1)
    assert not isinstance(factory.perform(longer), Refusal)
