"""The portal's page of data sets: what it shows, refuses and hides; and in a real browser the upload that goes on after a break."""

import hashlib
import random
import re

import pytest
from playwright.sync_api import expect, sync_playwright

from eisbach.app import set_rules
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.site_facts import SiteFacts
from eisbach.core.jobs.placement import PlacementRule
from eisbach.portal.pages import data
from eisbach.portal.session import SESSION_COOKIE
from tests.faces.chromium import FLAGS, Watched, chromium_path, served
from tests.faces.factory_world import SITE
from tests.faces.portal_world import HOST, browser, form_of

ABROAD = SiteFacts(site="virginia", country="US", operator="Nobody Inc", operator_country="US", nodes=(), is_simulated=True)
CONTENT = random.Random(11).randbytes(1_234_567)


def member(world, language="en"):
    return browser(world, world.ours.tokens["member"], language)


def test_the_list_shows_what_there_is(shared_world):
    page = member(shared_world).get("/data").text
    for part in ("abc.txt", "being uploaded", "ready", "customer data", hashlib.sha256(b"abc").hexdigest()[:16], "Held by the project"):
        assert part in page
    assert shared_world.ours.deleted_data_set not in page
    assert shared_world.ours.deleted_data_set in member(shared_world).get("/data?all=true").text
    assert "Kundendaten" in member(shared_world, "de").get("/data").text
    assert shared_world.theirs.data_set not in page


def test_a_project_of_somebody_else_is_not_there(shared_world):
    assert member(shared_world).get(f"/data?project={shared_world.theirs.project}").status_code == 404


def test_a_data_set_shows_its_hashes_and_is_downloaded(shared_world):
    seen, path = member(shared_world), f"/data/{shared_world.ours.data_set}"
    page = seen.get(path).text
    assert hashlib.sha256(b"abc").hexdigest() in page
    assert "Nobody GmbH" in page
    got = seen.get(f"{path}/content")
    assert (got.content, got.headers["content-disposition"][:10]) == (b"abc", "attachment")


def test_a_script_in_a_name_stays_a_text(world):
    name = "<img src=x onerror=alert(1)>.csv"
    fields = {"csrf": form_of(member(world).get("/data").text, "/data/uploads")["csrf"], "form_id": "a-form-id-of-a-test"}
    seen = member(world)
    begun = seen.post("/data/uploads", {**fields, "project": world.ours.project, "name": name, "size": "5", "data_class": "customer"})
    assert begun.status_code == 200
    for path in ("/data", f"/data/{begun.json()['data_set']}"):
        page = seen.get(path).text
        assert name not in page
        assert "&lt;img src=x onerror=alert(1)&gt;.csv" in page


def test_a_copy_abroad_is_refused_on_the_page_in_german_with_its_position(world):
    apply_site_changes(world.application, [SITE, ABROAD])
    world.application.perform(
        set_rules.command(SYSTEM, owner=world.ours.organisation, rule=PlacementRule(countries=("DE",)))
    ).result()
    seen, path = member(world, "de"), f"/data/{world.ours.data_set}"
    answer = seen.send(seen.get(path), f"{path}/copies", site="virginia")
    assert answer.status_code == 422
    assert "RESIDENCY_FORBIDDEN" in answer.text
    assert "Es steht im signierten Protokoll" in answer.text or "Protokoll" in answer.text


def test_a_deletion_ends_with_the_certificate(world):
    seen, path = member(world), f"/data/{world.ours.data_set}"
    assert seen.get(f"{path}/certificate").status_code == 404
    assert seen.send(seen.get(path), f"{path}/delete").status_code == 303
    page = seen.get(path).text
    assert "Download the certificate" in page
    assert "abc.txt" not in page
    made = seen.get(f"{path}/certificate").json()
    assert "eisbach-deletion-certificate/1" in made["certificate"]


@pytest.mark.parametrize("harm", ["no token", "foreign origin", "offset", "too large", "foreign"])
def test_pieces_that_are_not_taken(world, harm, monkeypatch):
    monkeypatch.setattr(data, "PIECE_BYTES_MAX", 1000)
    seen, upload = member(world), world.ours.upload
    csrf = form_of(seen.get("/data").text, "/data/uploads")["csrf"]
    headers = {"origin": HOST, "eisbach-form": csrf, "upload-offset": "0"}
    content = b"abc"
    if harm == "no token":
        del headers["eisbach-form"]
    elif harm == "foreign origin":
        headers["origin"] = "https://evil.test"
    elif harm == "offset":
        headers["upload-offset"] = "-1"
    elif harm == "too large":
        content = bytes(2000)
    else:
        upload = world.theirs.upload
    answer = seen.client.patch(f"/portal/data/uploads/{upload}", content=content, headers=headers)
    assert answer.status_code == {"foreign": 404, "offset": 409, "too large": 409}.get(harm, 403)
    assert seen.get(f"/data/uploads/{world.ours.upload}").json() == {"offset": 0, "size": 6}


@pytest.fixture
def page(world, monkeypatch):
    """The page of data sets in a real browser; a piece is small, so that a file needs several."""
    monkeypatch.setattr(data, "PIECE_BYTES", 200_000)
    path = chromium_path()
    with sync_playwright() as playwright, served(world) as address:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        context = chromium.new_context(locale="de", viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": SESSION_COOKIE, "value": world.ours.tokens["member"], "url": f"{address}/portal"}])
        yield Watched(context.new_page(), address)
        chromium.close()


def chosen(page, path):
    page.open("/data")
    page.page.get_by_label("Datei", exact=True).set_input_files(path)


def test_an_upload_goes_on_after_a_broken_connection_and_after_a_reload(world, page, tmp_path):
    file = tmp_path / "messung.csv"
    file.write_bytes(CONTENT)
    pieces = []

    def piece(route):
        pieces.append(int(route.request.headers["upload-offset"]))
        if len(pieces) == 3:
            route.abort()
        elif len(pieces) == 5:
            return  # it hangs, and the page is left
        else:
            route.continue_()

    page.page.route("**/data/uploads/*", lambda route: piece(route) if route.request.method == "PATCH" else route.continue_())
    chosen(page, file)
    page.page.get_by_role("button", name="Hochladen").press("Enter")
    expect(page.page.locator("#upload-state")).to_contain_text("von 1,2 MiB übertragen")
    expect(page.page.locator("#upload-bar")).to_have_attribute("value", re.compile("^48"))
    page.page.unroute_all()
    page.complaints.clear()  # of the connection that was broken on purpose
    chosen(page, file)
    page.page.get_by_role("button", name="Hochladen").click()
    expect(page.page.get_by_role("heading", level=1)).to_have_text("messung.csv")
    expect(page.page.get_by_text(hashlib.sha256(CONTENT).hexdigest())).to_be_visible()
    assert pieces[:4] == [0, 200_000, 400_000, 400_000], "the aborted piece was sent again, and nothing else"
    page.check()
    rows = world.application.reader.rows("data_sets", {"project": world.ours.project, "name": "messung.csv"}).rows
    assert [row["stage"] for row in rows] == ["ready"], "the second page went on with the first one's upload"


def test_a_refused_upload_says_why(page, tmp_path):
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(3_500_000))
    chosen(page, file)
    page.page.get_by_role("button", name="Hochladen").click()
    expect(page.page.locator("#upload-error")).not_to_be_empty()
    page.check()
