"""The bill in the portal: a month job by job, an address with its errors, an invoice issued, printed, downloaded, credited."""

from hashlib import sha256

from eisbach.app import bill_overview
from eisbach.core.vocabulary.money import euro_text
from tests.faces.factory_world import PERIOD, run_through
from tests.faces.portal_world import browser

HOSTILE = "<script>alert('x')</script> & \"Söhne\" GmbH"
GOOD = {
    "name": "Pumpen GmbH",
    "street": "Weg 1",
    "postcode": "80538",
    "city": "München",
    "country": "DE",
    "electronic_address": "rechnung@pumpen.example",
    "treatment": "domestic",
    "vat_id": "",
    "buyer_reference": "",
    "contact_name": "",
    "language": "de",
}


def works_for_cents(world):
    """A job of our tenant that costs whole cents."""
    run_through(world, world.engine.attempt_of(world.submit(world.ours, name="dear", resources={"cpus": 60})))


def test_a_member_sees_what_each_job_cost(world):
    works_for_cents(world)
    seen = browser(world, world.ours.tokens["member"]).get("/bill")
    assert "dear" in seen.text
    assert "Ceiling that was quoted" in seen.text
    reader = world.application.reader
    (dear,) = reader.rows("jobs", {"name": "dear"}).rows
    assert f"{euro_text(dear['charged'])} EUR" in seen.text
    assert f"{euro_text(dear['cap'])} EUR" in seen.text
    assert "XRechnung" not in seen.text, "invoices are for administrators"
    assert browser(world, world.ours.tokens["member"]).get(f"/bill?month={PERIOD}").status_code == 200
    assert browser(world, world.ours.tokens["member"]).get("/bill?month=1999-01").status_code == 422


def test_the_jobs_of_a_bill_add_up_to_the_ledger(world):
    works_for_cents(world)
    reader = world.application.reader
    (bill,) = bill_overview.of_projects(reader, [reader.row("projects", world.ours.project)], PERIOD, PERIOD)
    assert sum(job.charged for job in bill.jobs) == bill.account["charged"]


def test_an_administrator_fills_in_the_address(world):
    path = f"/bill/{world.ours.organisation}/address"
    seen = browser(world, world.ours.tokens["admin"], language="de")
    page = seen.get(path)
    wrong = seen.send(page, path, **{**GOOD, "country": "XX", "vat_id": "DE123456789", "name": HOSTILE})
    assert wrong.status_code == 422
    assert "Es gibt kein Land XX" in wrong.text
    assert "keine USt-IdNr." in wrong.text
    assert 'id="e-vat_id"' in wrong.text, "the error stands beside its field"
    assert "<script>alert" not in wrong.text
    assert seen.send(page, path, **{**GOOD, "name": HOSTILE}).status_code == 303
    assert "&lt;script&gt;" in seen.get(path).text


def test_an_operator_issues_once_however_often_the_form_is_sent(world):
    works_for_cents(world)
    organisation = world.ours.organisation
    operator = browser(world, world.operator)
    assert world.ours.organisation in operator.get("/bill").text
    page = operator.get(f"/bill/{organisation}")
    sent = [operator.send(page, f"/bill/{organisation}/issue", month=PERIOD) for _ in range(2)]
    assert [one.status_code for one in sent] == [303, 303]
    assert sent[0].headers["location"] == sent[1].headers["location"]
    later = operator.send(operator.get(f"/bill/{organisation}"), f"/bill/{organisation}/issue", month=PERIOD)
    assert later.status_code == 422
    assert "NOTHING_TO_BILL" in later.text


def test_an_invoice_is_shown_downloaded_and_credited(world):
    works_for_cents(world)
    organisation = world.ours.organisation
    made = world.made("POST", f"/v1/organisations/{organisation}/invoices", world.operator, json={"period": PERIOD})
    path = f"/invoices/{made['invoice']}"
    operator = browser(world, world.operator, language="de")
    page = operator.get(path)
    assert f"Rechnung {made['invoice']}" in page.text
    assert made["file_digest"] in page.text
    file = operator.get(f"{path}/file")
    assert file.headers["content-disposition"].startswith("attachment")
    assert sha256(file.content).hexdigest() == made["file_digest"]
    too_much = operator.send(page, f"{path}/credit", net="1.000,00", reason="Kulanz")
    assert too_much.status_code == 422
    assert "netto" in too_much.text
    done = operator.send(operator.get(path), f"{path}/credit", net="0,01", reason="Kulanz & mehr")
    assert done.status_code == 303
    assert "Kulanz &amp; mehr" in operator.get(done.headers["location"].removeprefix("/portal")).text
    assert "Gutschriften" in operator.get(path).text


def test_without_an_address_the_page_says_what_is_missing(world):
    made = world.made("POST", "/v1/organisations", world.operator, json={"name": "Empty"})
    seen = browser(world, world.operator).get(f"/bill/{made['organisation']}")
    assert "6 things are missing" in seen.text
