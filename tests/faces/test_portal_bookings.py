"""The calendar in the portal: a quote beside its form, an option held, booked and cancelled by hand; others only as taken."""

import html
import re

from tests.faces.portal_world import browser

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
