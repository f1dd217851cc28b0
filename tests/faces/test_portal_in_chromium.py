"""The portal in a real browser: every page in both languages, light and dark, and the story clicked through."""

import pytest
from playwright.sync_api import expect, sync_playwright

from eisbach.app.commands import Role
from eisbach.portal.session import SESSION_COOKIE
from tests.faces.chromium import FLAGS, WAIT_MS, Watched, chromium_path, served
from tests.faces.factory_world import make_world
from tests.faces.portal_world import link

pytestmark = pytest.mark.timeout(900)  # a real browser on a busy machine: each page is waited for by itself
expect.set_options(timeout=WAIT_MS)
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}

TENANT_PAGES = (
    "/",
    "/offers",
    "/offers?cpus=2&memory=4&nodes=1&time_limit=8h",
    "/offers?cpus=many",
    "/sites",
    "/sites/here",
    "/templates",
    "/templates/train-language-model",
    "/jobs",
    "/jobs/{ended_job}",
    "/jobs/{running_job}",
    "/jobs/job_of_nobody",
    "/projects/{project}",
    "/energy",
    "/calendar",
    "/calendar?days=366",
    "/bookings/{booking}",
    "/bill",
    "/bill/{organisation}",
    "/bill/{organisation}/address",
    "/invoices/{invoice}",
    "/sites/{site}/energy",
    "/promises",
    "/promises/gpus-around",
    "/organisations/{organisation}/package",
    "/jobs/{ended_job}/residency",
    "/rules",
    "/organisations/{organisation}/rules",
    "/projects/{project}/rules",
    "/data",
    "/data/{data_set}",
    "/data/{upload}",
    "/data/{deleted_data_set}",
)
"""What an administrator of an organisation opens; an area adds its own. `{name}` is a field of the test's tenant."""
OPERATOR_PAGES = ("/", "/jobs", "/bill", "/sites/here/map", "/sites/here/energy", "/rules", "/violations")
PUBLIC_PAGES = ("/enter", "/jobs")


@pytest.fixture(scope="module")
def chromium():
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def place(chromium, tmp_path_factory):
    """A world and the address at which it is served."""
    world = make_world(tmp_path_factory.mktemp("factory"))
    try:
        with served(world) as address:
            yield world, address
    finally:
        world.application.stop()


def opened(chromium, address, *, language="en", scheme="light", viewport=DESK, secret="", **more):
    context = chromium.new_context(locale=language, color_scheme=scheme, viewport=viewport, **more)
    if secret:
        context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": f"{address}/portal"}])
    return Watched(context.new_page(), address)


@pytest.mark.parametrize(
    ("language", "viewport", "scheme"),
    [
        ("de", DESK, "light"),
        ("en", PHONE, "dark"),
        # Minutes each: languages, sizes and colours are each seen once by the two above.
        pytest.param("de", DESK, "dark", marks=pytest.mark.prove),
        pytest.param("en", PHONE, "light", marks=pytest.mark.prove),
    ],
)
def test_every_page_is_accessible_fits_and_asks_nobody_else(chromium, place, language, scheme, viewport):
    world, address = place
    ours = world.ours
    for secret, paths in (("", PUBLIC_PAGES), (ours.tokens["admin"], TENANT_PAGES), (world.operator, OPERATOR_PAGES)):
        seen = opened(chromium, address, language=language, scheme=scheme, viewport=viewport, secret=secret)
        for path in paths:
            seen.open(path.format(**vars(ours)))
            assert seen.page.locator("html").get_attribute("lang") == language
            seen.check()
        seen.page.context.close()


@pytest.mark.parametrize("path", [None, Role.OPERATOR])
def test_the_entrances_are_accessible(chromium, place, path):
    world, address = place
    for scheme in ("light", "dark"):
        seen = opened(chromium, address, scheme=scheme, language="de")
        seen.open(link(world, path))
        seen.check()


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_booking_is_made_with_a_choice_and_extended_by_clicks(chromium, world, language):
    words = {"en": ("Show prices and times", "Book", "Show the price", "Extend the booking"),
             "de": ("Preise und Zeiten zeigen", "Buchen", "Preis zeigen", "Buchung verlängern")}[language]  # fmt: skip
    with served(world) as address:
        seen = opened(chromium, address, language=language, viewport=PHONE, secret=world.ours.tokens["member"])
        page = seen.page
        seen.open("/calendar")
        page.locator("[name=length]").fill("30m")
        page.locator("[name=begin]").fill("2026-09-01T08:00")
        page.locator("[name=on_fault]").select_option("credit")
        page.get_by_role("button", name=words[0]).click()
        expect(page.locator("#options-title")).to_be_visible()
        seen.check()
        page.get_by_text(words[1], exact=True).first.click()
        expect(page.locator("#extend-title")).to_be_visible()
        page.locator("[name=length]").fill("2h")
        page.get_by_role("button", name=words[2]).click()
        expect(page.get_by_role("button", name=words[3])).to_be_visible()
        seen.check()
        page.get_by_role("button", name=words[3]).click()
        expect(page.locator("#extend-title")).to_be_visible()
        booking = page.url.rpartition("/")[2]
        row = world.application.reader.row("bookings", booking)
        assert (row["until_ms"] - row["from_ms"], row["on_fault"]) == (9_000_000, "credit")
        seen.check()


STORY = {
    "en": {"sign_up": "Sign up", "offers": "Offers", "work": "Start work", "choose": "Choose Train a small language model",
           "show": "Show price and place", "start": "Start for at most", "running": "running", "complete": "complete",
           "budget": "1,250.50", "shown": "1,250.50 EUR", "ended": "succeeded"},
    "de": {"sign_up": "Registrieren", "offers": "Angebote", "work": "Arbeit starten", "choose": "Auswählen Ein kleines Sprachmodell trainieren",
           "show": "Preis und Ort zeigen", "start": "Starten für höchstens", "running": "läuft", "complete": "vollständig",
           "budget": "1.250,50", "shown": "1.250,50 EUR", "ended": "gelungen"},
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_story_is_clicked_through(chromium, world, language):
    words = STORY[language]
    with served(world) as address:
        seen = opened(chromium, address, language=language)
        page = seen.page
        seen.open(link(world, None))
        page.locator("[name=organisation]").fill("Wasserwerk <b>Nord</b>")
        page.locator("[name=project]").fill("Pumpen")
        page.locator("[name=budget]").fill(words["budget"])
        page.get_by_role("button", name=words["sign_up"]).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Wasserwerk <b>Nord</b>")
        expect(page.get_by_text(words["shown"]).first).to_be_visible()
        seen.check()
        page.get_by_role("link", name=words["offers"], exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(words["offers"])
        page.get_by_role("navigation").get_by_role("link", name=words["work"]).click()
        page.get_by_role("link", name=words["choose"]).click()
        page.locator("[name=name]").fill("first")
        page.get_by_role("button", name=words["show"]).click()
        seen.check()
        page.get_by_role("button", name=words["start"]).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("first")
        job = page.url.rpartition("/")[2]
        attempt = world.engine.attempt_of(job)
        world.engine.run(attempt, world.clock.now())
        world.engine.say(attempt, "step 1", "<script>alert('log')</script>")
        expect(page.locator("#status")).to_contain_text(words["running"])
        expect(page.locator("#log")).to_contain_text("<script>alert('log')</script>")
        seen.check()
        world.clock.advance(60_000)
        world.engine.end(attempt, world.clock.now() - 60_000, 60_000)
        expect(page.locator("#log-state")).to_have_text(words["complete"])
        expect(page.locator("#status")).to_contain_text(words["ended"])
        seen.check()
        page.context.close()


def test_a_double_click_starts_one_job(chromium, place):
    world, address = place
    seen = opened(chromium, address, secret=world.theirs.tokens["member"])
    seen.open("/templates/train-language-model")
    seen.page.get_by_role("button", name="Show price and place").click()
    seen.page.get_by_role("button", name="Start for at most").dblclick()
    expect(seen.page.locator("#status")).to_be_visible()
    named = {"project": world.theirs.project, "name": "train-language-model"}
    assert len(world.application.reader.rows("jobs", named).rows) == 1


def test_all_but_the_live_log_works_without_javascript(chromium, place):
    world, address = place
    seen = opened(chromium, address, secret=world.ours.tokens["member"], java_script_enabled=False)
    page = seen.page
    seen.open(f"/jobs/{world.ours.running_job}")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("asked to stop")).to_be_visible()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="dunkel").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_keyboard_reaches_the_content_first(chromium, place):
    world, address = place
    seen = opened(chromium, address, secret=world.ours.tokens["member"])
    seen.open("/offers")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "content"


def test_a_figure_is_drawn_and_has_its_table_beside_it(chromium, place):
    world, address = place
    for scheme in ("light", "dark"):
        seen = opened(chromium, address, scheme=scheme, secret=world.ours.tokens["viewer"])
        seen.open(f"/projects/{world.ours.project}")
        expect(seen.page.locator(".js-plotly-plot .bars path").first).to_be_visible()
        seen.page.get_by_text("The same as a table").click()
        expect(seen.page.get_by_role("cell", name="ended").or_(seen.page.get_by_role("cell", name="<b>ended")).first).to_be_visible()
        seen.check()
        seen.page.context.close()
