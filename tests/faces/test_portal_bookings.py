"""The calendar in the portal: a quote beside its form, an option held, booked and cancelled by hand; others only as taken."""

import html
import re

import pytest

from tests.faces.portal_world import browser, form_of

WANTED = {"flavour": "cpu", "nodes": "1", "length": "30m", "begin": "2026-07-01T08:00", "until": "", "within": ""}


def options_of(page):
    """The options on a page, first to last, each once."""
    return list(dict.fromkeys(re.findall(r'name="option" value="([^"]+)"', page.text)))


def quoted(seen, tenant, **fields):
    page = seen.get("/calendar")
    return seen.send(page, "/calendar/quote", project=tenant.project, **{**WANTED, **fields})


def test_a_booking_is_made_and_cancelled_by_hand(world):
    ours = world.ours
    seen = browser(world, ours.tokens["member"])
    quote = quoted(seen, ours)
    assert quote.status_code == 200
    assert "earliest" in quote.text
    assert "Cancelling is free until" in quote.text
    first, second = options_of(quote)[:2]
    held = seen.send(quote, "/calendar/hold", project=ours.project, option=second)
    assert held.status_code == 200
    assert "held" in held.text
    booked = seen.send(quote, "/calendar/book", project=ours.project, option=first)
    assert booked.status_code == 303
    path = booked.headers["location"].removeprefix("/portal")
    page = seen.get(path)
    assert "It is booked" in page.text
    assert "eisbach run --booking" in page.text
    assert "<form" in page.text
    cancelled = seen.send(page, f"{path}/cancel")
    assert cancelled.status_code == 303
    assert "The booking is cancelled" in seen.get(path).text


def test_the_same_form_sent_twice_books_once(world):
    seen = browser(world, world.ours.tokens["member"])
    quote = quoted(seen, world.ours)
    option = options_of(quote)[0]
    both = [seen.send(quote, "/calendar/book", project=world.ours.project, option=option) for _ in range(2)]
    assert both[0].headers["location"] == both[1].headers["location"]


def booked(seen, tenant, **fields):
    """Book the first option of a quote; return the path of its page."""
    quote = quoted(seen, tenant, **fields)
    made = seen.send(quote, "/calendar/book", project=tenant.project, option=options_of(quote)[0])
    assert made.status_code == 303, made.text
    return made.headers["location"].removeprefix("/portal")


def test_a_booking_is_extended_by_hand(world):
    seen = browser(world, world.ours.tokens["member"])
    path = booked(seen, world.ours, begin="2026-08-01T08:00")
    page = seen.get(path)
    before = world.application.reader.row("bookings", path.rpartition("/")[2])
    priced = seen.send(page, f"{path}/extension", length="1h")
    assert priced.status_code == 200
    assert "on the same nodes for" in priced.text
    answers = [seen.send(priced, f"{path}/extend") for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    after = world.application.reader.row("bookings", before["booking"])
    assert after["until_ms"] == before["until_ms"] + 3_600_000, "the form sent twice extends once"
    assert after["price"] == before["price"] * 3
    assert "The booking is longer" in seen.get(path).text
    assert seen.send(seen.get(path), f"{path}/cancel").status_code == 303
    assert "/extension" not in seen.get(path).text


@pytest.mark.parametrize(
    ("begin", "says"),
    [("2026-08-01T08:00", "Cancelled now, it costs nothing. It is free until"), ("", "It was free until")],
    ids=["long before", "too late"],
)
def test_what_cancelling_costs_is_said_beside_its_button(world, begin, says):
    """It was said to be free until a day that had passed."""
    seen = browser(world, world.ours.tokens["member"])
    path = booked(seen, world.ours, begin=begin)
    page = seen.get(path)
    assert says in page.text
    assert seen.send(page, f"{path}/cancel").status_code == 303


def test_what_cannot_be_extended_says_why(world):
    ours = world.ours
    seen = browser(world, ours.tokens["member"])
    path = booked(seen, ours, begin="2026-08-02T08:00")
    page = seen.get(path)
    for text in ("soon", "0", "1000d"):
        wrong = seen.send(page, f"{path}/extension", length=text)
        assert wrong.status_code == 422
        assert f'value="{text}"' in wrong.text
        assert "refusal-what" in wrong.text
    for option in ("", "quo_none.1", options_of(quoted(seen, ours))[0]):
        assert seen.post(f"{path}/extend", {**form_of(page.text, f"{path}/cancel"), "option": option}).status_code == 422
    stranger = browser(world, world.theirs.tokens["member"])
    assert stranger.send(stranger.get("/calendar"), "/calendar/quote", project=world.theirs.project, **WANTED).status_code == 200
    keys = form_of(stranger.get("/calendar").text, "/calendar/quote")
    assert stranger.post(f"{path}/extension", {**keys, "length": "1h"}).status_code == 404
    without_key = seen.post(f"{path}/extension", {"length": "1h"})
    assert without_key.status_code == 403
    seen.send(page, f"{path}/cancel")


def test_the_owner_says_what_he_wants_when_nodes_fail(world):
    seen = browser(world, world.ours.tokens["member"])
    for choice, text in (("extend", "longer time, where it is free"), ("credit", "money back")):
        path = booked(seen, world.ours, begin="2026-08-03T08:00", on_fault=choice)
        assert f"If nodes fail and are not replaced: {text}" in seen.get(path).text
        seen.send(seen.get(path), f"{path}/cancel")
    quote = quoted(seen, world.ours, begin="2026-08-03T08:00")
    held = seen.send(quote, "/calendar/hold", option=options_of(quote)[0], on_fault="credit")
    assert form_of(held.text, "/calendar/book")["on_fault"] == "credit"
    wrong = seen.send(quote, "/calendar/book", option=options_of(quote)[0], on_fault="dance")
    assert wrong.status_code == 422
    assert "is not known" in html.unescape(wrong.text)


def test_what_is_wrong_stands_beside_its_field(world):
    seen = browser(world, world.ours.tokens["member"])
    for field, text in (("nodes", "many"), ("length", "soon"), ("begin", "yesterday"), ("begin", "2001-01-01T00:00"), ("length", "0")):
        page = quoted(seen, world.ours, **{field: text})
        assert page.status_code == 422, (field, text)
        assert "refusal-what" in page.text


def test_who_was_faster_is_answered_with_new_options(world):
    ours, theirs = world.ours, world.theirs
    we, they = browser(world, ours.tokens["member"]), browser(world, theirs.tokens["member"])
    mine, rival = quoted(we, ours), quoted(they, theirs)
    assert we.send(mine, "/calendar/book", project=ours.project, option=options_of(mine)[0]).status_code == 303
    late = they.send(rival, "/calendar/book", project=theirs.project, option=options_of(rival)[0])
    assert late.status_code == 422
    assert options_of(late), "new options stand on the page"
    assert not set(options_of(late)) & set(options_of(rival))


def test_bookings_of_others_are_numbers_only(world):
    page = browser(world, world.ours.tokens["member"]).get("/calendar?days=91")
    assert world.ours.booking in page.text
    assert world.theirs.booking not in page.text
    assert world.theirs.project not in page.text
    plots = re.findall(r'id="pool-[^"]*-spec">(.*?)</script>', html.unescape(page.text), re.DOTALL)
    assert plots


def test_a_viewer_sees_the_calendar_without_forms(world):
    page = browser(world, world.ours.tokens["viewer"]).get("/calendar")
    assert page.status_code == 200
    assert "/calendar/quote" not in page.text


def test_it_is_german_for_germans(world):
    page = browser(world, world.ours.tokens["member"], language="de").get("/calendar")
    assert "Angebot einholen" in page.text
    assert "Was frei ist" in page.text
    seen = browser(world, world.ours.tokens["member"], language="de")
    path = booked(seen, world.ours, begin="2026-08-04T08:00")
    priced = seen.send(seen.get(path), f"{path}/extension", length="1h")
    for text in ("Verlängern", "auf denselben Knoten", "Wenn Knoten ausfallen"):
        assert text in priced.text
    seen.send(seen.get(path), f"{path}/cancel")
