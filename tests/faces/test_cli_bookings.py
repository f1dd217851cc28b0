"""Bookings at the command line: quoted, held, booked with a choice for faults, used, extended, cancelled; what is too large says so."""

import json

import pytest

from eisbach.app import cap_power
from eisbach.app.commands import SYSTEM
from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import listening, run_cli
from tests.faces.portal_world import browser
from tests.faces.test_portal_bookings import quoted as quoted_by_hand


@pytest.fixture
def member(world, monkeypatch):
    """A factory that listens; the command line is a member's of our project."""
    with listening(world, monkeypatch, world.ours.tokens["member"]):
        yield world


def quoted(*more):
    """Ask for half an hour of a node; return the quote."""
    return run_cli("quote", "--flavour", "cpu", "--for", "30m", "--from", "2026-09-01T08:00", *more, "-o", "json").document()


def test_a_booking_from_quote_to_cancelling(member):
    said = run_cli("quote", "--flavour", "cpu", "--for", "30m", "--from", "2026-09-01T08:00")
    for words in ("nothing is held", "A node that fails is replaced by an equal one", "at most 100 % of what was left", "--on-fault credit"):
        assert words in said.out
    first, second = (one["option"] for one in quoted()["options"][:2])
    assert "Held until" in run_cli("quote", "hold", second).out
    booking = run_cli("book", first, "--on-fault", "credit", "-o", "json").document()["booking"]
    refused = run_cli("book", second)
    assert refused.code != ExitCode.OK
    assert booking in refused.err
    assert "it stays with `credit`, as it was booked" in run_cli("book", first, "--on-fault", "extend").out
    again = run_cli("book", first, "--on-fault", "credit").out
    assert "Booked before" in again
    assert "stays with" not in again
    shown = run_cli("booking", "show", booking)
    assert "on fault" in shown.out
    assert "credit" in shown.out
    before = member.application.reader.row("bookings", booking)["until_ms"]
    assert run_cli("booking", "extend", booking, "--for", "10m", "--yes").code == ExitCode.OK
    assert member.application.reader.row("bookings", booking)["until_ms"] == before + 600_000
    assert "Cancelled." in run_cli("booking", "cancel", booking, "--yes").out


def test_a_quote_under_a_cap_and_its_page_say_until_when_they_take_it_to_last(member):
    facts = member.application.sites["here"]
    try:
        for until_ms, cli, page in (
            (0, "is capped (operator), here taken to be so for all time to come", "this counts here for all time to come"),
            (2_000_000_000_000, "is capped (operator), here taken to be so until 2033-05-18", "no later cap does"),
        ):
            member.application.perform(
                cap_power.command(SYSTEM, facts, site="here", draw_mw=cap_power.CAP_MW_MAX, until_ms=until_ms)
            ).result()
            assert cli in run_cli("quote", "--flavour", "cpu", "--for", "30m", "--from", "2026-09-01T08:00").out
            assert page in quoted_by_hand(browser(member, member.ours.tokens["member"]), member.ours).text
    finally:
        member.application.perform(cap_power.command(SYSTEM, facts, site="here", draw_mw=None)).result()


def test_every_face_tells_the_state_of_a_booking_by_the_clock(member):
    token = member.ours.tokens["member"]
    option = run_cli("quote", "--flavour", "cpu", "--for", "2h", "-o", "json").document()["options"][0]
    booking = run_cli("book", option["option"], "-o", "json").document()["booking"]
    begins_ms, ends_ms = (member.application.reader.row("bookings", booking)[name] for name in ("from_ms", "until_ms"))
    for at_ms, state, chip in ((begins_ms - 1, "booked", "booked"), (begins_ms, "open", "window open"), (ends_ms + 600_000, "ended", "over")):
        member.clock.advance(at_ms - member.clock.now())
        assert run_cli("booking", "show", booking, "-o", "json").document()["state"] == state
        assert member.made("GET", f"/v1/projects/{member.ours.project}/bookings", token)["items"][0]["state"] == state
        for page in (f"/bookings/{booking}", "/calendar"):
            assert f"</svg>{chip}</span>" in browser(member, token).get(page).text
        if state == "open":
            member.clock.advance(300_000)
            run_cli("booking", "extend", booking, "--for", "10m", "--yes")  # which charges what has passed
        if state != "booked":
            cost = member.made("GET", f"/v1/projects/{member.ours.project}/cost", token)
            assert [one["state"] for one in cost["bookings"]] == [state]


def test_a_job_larger_than_its_booking_is_refused_with_both_numbers(member):
    booking = run_cli("book", quoted()["options"][0]["option"], "-o", "json").document()["booking"]
    assert run_cli("booking", "show", booking, "-o", "json").document()["on_fault"] == "extend"
    long = run_cli("run", "-y", "-d", "--booking", booking, "--time-limit", "1h", "--", "true")
    assert long.code != ExitCode.OK
    assert "1800 s are left of the booking's window" in long.err
    wide = run_cli("run", "-y", "-d", "--booking", booking, "--time-limit", "5m", "--num-nodes", "4000", "--", "true")
    assert wide.code != ExitCode.OK
    assert "4000 nodes" in wide.err
    fits = run_cli("run", "-y", "-d", "--booking", booking, "--time-limit", "5m", "-o", "json", "--", "true")
    assert fits.code == ExitCode.OK, fits.err
    assert json.loads(fits.out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quote", "--flavour", "cpu", "--for", "soon"), "--for is 'soon'"),
        (("quote", "--flavour", "cpu", "--for", "30m", "--from", "2001-01-01"), "The window begins at 2001-01-01 00:00 UTC, which is past"),
        (("book", "quo_none.1"), "it has expired, or there was none"),
        (("book", "quo_none.1", "--on-fault", "dance"), "dance"),
        (("booking", "show", "bkg_none"), "There is nothing here of that name"),
    ],
)
def test_what_is_wrong_is_said(member, arguments, words):
    ran = run_cli(*arguments)
    assert ran.code != ExitCode.OK
    assert words in ran.err, ran.err
