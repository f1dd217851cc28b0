"""Invoices: what the ledger charged, once, under numbers without gaps, made again to the last byte."""

from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

import pytest
from msgspec import structs

from eisbach.adapters.xrechnung import XRechnungFolder
from eisbach.app import drain_node, issue_invoice, set_billing
from eisbach.app.bill_months import bill_last_month
from eisbach.app.bill_movements import movements
from eisbach.app.commands import SYSTEM
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.core.billing import wording
from eisbach.core.billing.vat import VatRate
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_end, period_bounds
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.billing import (
    FIRM,
    address,
    credit,
    document,
    file_of,
    issue,
    kept_file,
    month,
    organisation_of,
    work,
)
from tests.app.factory import SELLER, TARIFF, VAT_RATES, a_job, new_factory
from tests.app.invariants import events_of


def refused(answer, reason, where=None):
    assert isinstance(answer, Refusal), answer
    assert answer.reason is reason, str(answer)
    assert where is None or answer.where == where
    assert answer.do, "a refusal says what to do"
    return answer


def test_a_month_is_billed_to_the_cent(factory):
    address(factory)
    work(factory, 2.5, cpus=4, memory_mib=2048)
    made = issue(factory)
    net = factory.app.applier.state.ledger.balance(account.charged(factory.project, month(factory)))
    assert made["invoice"] == "2026-000001"
    assert made["net_cents"] == (net + 5_000) // 10_000 == 38
    assert (made["vat_cents"], made["gross_cents"]) == (7, 45)
    (line,) = document(factory, made["invoice"]).lines
    assert (line.cents, line.amount, line.supply.flavour) == (38, net, "cpu")


def test_a_file_that_is_gone_is_made_again(factory):
    address(factory)
    work(factory)
    made = issue(factory)
    path = kept_file(factory, made["invoice"])
    first = path.read_bytes()
    path.unlink()
    address(factory, name="Moved away Ltd", street="Elsewhere 7", city="Bonn")  # the invoice keeps who it was sent to
    factory = factory.restart(tariff=structs.replace(TARIFF, core_hour=99_000, label="dearer"))
    work(factory)
    again = file_of(factory, made["invoice"])
    assert again == first == path.read_bytes()
    assert sha256(again).hexdigest() == made["file_digest"]
    assert b"Moved away" not in again


def test_a_damaged_file_is_never_handed_out(factory):
    address(factory)
    work(factory)
    made = issue(factory)
    kept_file(factory, made["invoice"]).write_bytes(b"<x/>")
    assert sha256(file_of(factory, made["invoice"])).hexdigest() == made["file_digest"]


def test_a_program_that_writes_other_bytes_says_so(factory):
    address(factory)
    work(factory)
    made = issue(factory)
    kept_file(factory, made["invoice"]).unlink()

    class Later(XRechnungFolder):
        """A later version of the format."""

        format = "xrechnung-9/1"

        def make(self, document):
            return super().make(document) + b"\n"

    factory.app.office = InvoiceOffice(SELLER, VAT_RATES, Later(factory.folder / "invoices"))
    answer = refused(file_of(factory, made["invoice"]), Reason.INTERNAL_ERROR)
    assert made["file_digest"] in answer.do


def test_a_crash_before_the_file_is_kept_loses_nothing(factory):
    address(factory)
    work(factory)

    class FullDisk(XRechnungFolder):
        """No file can be kept."""

        def keep(self, number, content):
            raise OSError(28, "No space left on device")

    good = factory.app.office
    factory.app.office = InvoiceOffice(SELLER, VAT_RATES, FullDisk(factory.folder / "invoices"))
    with pytest.raises(OSError, match="No space"):
        issue(factory)
    factory.app.office = good
    factory = factory.restart()
    (row,) = factory.store.rows("invoices", {}).rows
    assert not kept_file(factory, row["invoice"]).exists()
    assert sha256(file_of(factory, row["invoice"])).hexdigest() == row["file_digest"]
    refused(issue(factory), Reason.NOTHING_TO_BILL)


def test_only_what_is_new_is_billed(factory):
    address(factory)
    work(factory, 1)
    first = issue(factory)
    refused(issue(factory), Reason.NOTHING_TO_BILL, "period")
    job = work(factory, 2)
    second = issue(factory)
    assert (first["invoice"], second["invoice"]) == ("2026-000001", "2026-000002")
    assert sum(line.amount for line in document(factory, second["invoice"]).lines) == factory.job(job)["charged"]


def test_each_transfer_is_on_one_invoice_at_most(factory):
    address(factory)
    for hours in (1, 3, 2):
        work(factory, hours)
        issue(factory)
    work(factory, 1)
    projects, period = [factory.project], month(factory)
    rows = sorted(factory.store.rows("invoices", {}).rows, key=lambda row: row["invoice"])
    stretches = [(row["from_seq"], row["to_seq"]) for row in rows]
    assert stretches[0][0] == 0
    assert all(low == high + 1 for (_, high), (low, _) in pairwise(stretches))
    billed = [one for low, high in stretches for one in movements(factory.store, projects, period, low, high)]
    left = movements(factory.store, projects, period, stretches[-1][1] + 1, factory.store.log_size())
    everything = movements(factory.store, projects, period, 0, factory.store.log_size())
    assert len(left) == 1
    assert len(billed) + len(left) == len(everything)
    charged = factory.app.applier.state.ledger.balance(account.charged(factory.project, period))
    assert sum(one.amount for one in [*billed, *left]) == charged


def test_a_month_that_is_over_and_one_that_has_not_begun(factory):
    address(factory)
    work(factory, 1)
    before, end = month(factory), month_end(factory.clock.now())
    factory.pass_time(end - factory.clock.now() + HOUR_MS)
    work(factory, 2)
    assert issue(factory, before)["period"] == before
    assert issue(factory)["invoice"] == "2026-000002"
    refused(issue(factory, "2099-09"), Reason.INVALID_ARGUMENT, "period")
    refused(issue(factory, "2020-09"), Reason.NOTHING_TO_BILL, "period")


def test_the_rate_is_that_of_the_month_that_is_billed(factory):
    """A month billed in the next one keeps its rate where another begins in between (UStG section 27 (1))."""
    address(factory)
    work(factory)
    period = month(factory)
    changes_ms = period_bounds(period)[1]
    rates = (*VAT_RATES, VatRate(country="DE", permille=160, valid_from_ms=changes_ms))
    factory.app.office = replace(factory.app.office, rates=rates)
    factory.pass_time(changes_ms + DAY_MS - factory.clock.now())
    assert document(factory, issue(factory, period)["invoice"]).totals.vat.permille == 190
    work(factory)
    assert document(factory, issue(factory)["invoice"]).totals.vat.permille == 160


def test_without_an_address_nothing_is_issued(factory):
    work(factory)
    answer = refused(issue(factory), Reason.BILLING_DETAILS_MISSING, "name")
    assert answer.values["missing"] == ["name", "street", "postcode", "city", "country", "electronic_address"]
    assert f"eisbach org billing set {organisation_of(factory)} --name" in answer.do
    address(factory, city="", electronic_address="")
    answer = refused(issue(factory), Reason.BILLING_DETAILS_MISSING, "city")
    assert answer.values["missing"] == ["city", "electronic_address"]
    assert not [one for one in events_of(factory) if one.kind == "invoice.issued"]
    address(factory)
    assert issue(factory)["invoice"] == "2026-000001"


def test_what_our_faults_cost_stands_on_a_line_of_its_own(tmp_path):
    factory = new_factory(tmp_path, start_ms=0)
    address(factory)
    job = factory.submit(a_job("sleep 18000", cpus=4, limit_s=20_000))
    for _ in range(2):
        factory.pass_time(HOUR_MS + 1000)
        factory.run_rounds()
    factory.engine.lose(factory.attempts(job)[0]["attempt"])
    factory.settle()
    factory.pass_time(6 * HOUR_MS)
    made = issue(factory)
    charge, back = document(factory, made["invoice"]).lines
    assert (charge.supply.is_taken_back, back.supply.is_taken_back) == (False, True)
    assert back.amount < 0 > back.hours
    assert charge.amount + back.amount == factory.job(job)["charged"]
    assert charge.cents + back.cents == made["net_cents"]


def test_more_taken_back_than_charged_is_a_credit_note(tmp_path):
    """A job charged in one month is lost in the next: the second month owes the customer money."""
    factory = new_factory(tmp_path)
    address(factory)
    before, end = month(factory), month_end(factory.clock.now())
    factory.pass_time(end - factory.clock.now() - 5 * HOUR_MS)
    factory.run_rounds()
    job = factory.submit(a_job("sleep 36000", cpus=8, limit_s=40_000))
    factory.pass_time(5 * HOUR_MS + 60_000)
    factory.run_rounds()
    first = issue(factory, before)
    factory.perform(drain_node.command(SYSTEM, node="n1", drained=True, stop_work=True))
    factory.pass_time(HOUR_MS)
    second = issue(factory)
    assert (first["kind"], second["kind"]) == ("invoice", "credit-note")
    assert second["net_cents"] == first["net_cents"] > 0
    assert factory.job(job)["charged"] == 0


def test_credit_notes_take_back_part_and_then_the_rest(factory):
    address(factory)
    work(factory, 10, cpus=8)
    invoice = issue(factory)
    part = credit(factory, invoice["invoice"], 100, "Zwei Stunden Störung")
    refused(credit(factory, invoice["invoice"], invoice["net_cents"]), Reason.CREDIT_TOO_LARGE, "net_cents")
    rest = credit(factory, invoice["invoice"])
    assert [part["invoice"], rest["invoice"]] == ["2026-000002", "2026-000003"]
    for amount in ("net_cents", "vat_cents", "gross_cents"):
        assert part[amount] + rest[amount] == invoice[amount]
    refused(credit(factory, invoice["invoice"]), Reason.CREDIT_TOO_LARGE)
    refused(credit(factory, part["invoice"]), Reason.INVALID_ARGUMENT, "invoice")
    refused(credit(factory, "2026-000009"), Reason.NOT_FOUND)
    refused(credit(factory, invoice["invoice"], 1, "  "), Reason.INVALID_ARGUMENT, "reason")
    kept_file(factory, part["invoice"]).unlink()
    assert sha256(file_of(factory.restart(), part["invoice"])).hexdigest() == part["file_digest"]


def test_a_credit_note_leaves_the_ledger_and_the_budget_alone(factory):
    address(factory)
    work(factory, 10)
    invoice = issue(factory)
    before = dict(factory.app.applier.state.ledger.balances)
    credit(factory, invoice["invoice"])
    assert factory.app.applier.state.ledger.balances == before


def test_two_at_once_get_two_numbers(factory):
    """The second view was taken before the first one was issued: it is made again, with the next number or refused."""
    address(factory)
    work(factory)
    organisation, period = organisation_of(factory), month(factory)

    def both(app):
        prepared = issue_invoice._prepare(app, app.office, organisation, period)
        first = issue_invoice.issue(app, SYSTEM, organisation, period)
        late = app.perform(issue_invoice._command(SYSTEM, app.office, prepared)).result()
        return first, late

    first, late = factory.call(both)
    assert first["invoice"] == "2026-000001"
    assert late is issue_invoice.OVERTAKEN
    refused(issue(factory), Reason.NOTHING_TO_BILL)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"country": "XX"}, "country"),
        ({"vat_id": "DE123456789"}, "vat_id"),
        ({"vat_id": "ATU12345678"}, "vat_id"),
        ({"treatment": "reverse-charge"}, "vat_id"),
        ({"treatment": "reverse-charge", "vat_id": "DE123456788"}, "treatment"),
        ({"treatment": "public"}, "buyer_reference"),
        ({"treatment": "public", "buyer_reference": "04011000-1234512345-07"}, "buyer_reference"),
        ({"treatment": "barter"}, "treatment"),
        ({"country": "FR", "postcode": "75001"}, "treatment"),
        ({"electronic_address": "nobody"}, "electronic_address"),
        ({"name": "Bell \x07 GmbH"}, "name"),
        ({"name": "half a pair \ud800"}, "name"),
        ({"street": "x" * 121}, "street"),
        ({"language": "tlh"}, "language"),
    ],
)
def test_details_that_cannot_be_right(factory, changes, where):
    buyer = replace(FIRM, **changes)
    if "\ud800" not in buyer.name:
        refused(address(factory, buyer), Reason.INVALID_ARGUMENT, where)
    assert where in {one.where for one in set_billing.problems(buyer, "DE")}


def test_an_erased_address_is_gone_and_the_invoice_keeps_its_own(factory):
    address(factory)
    work(factory)
    made = issue(factory)
    billing = factory.app.applier.state.billing.details[organisation_of(factory)]
    assert factory.store.erase_text(f"{billing}/details")
    refused(issue_after_more_work(factory), Reason.BILLING_DETAILS_MISSING)
    kept_file(factory, made["invoice"]).unlink()
    assert sha256(file_of(factory, made["invoice"])).hexdigest() == made["file_digest"]


def issue_after_more_work(factory):
    work(factory)
    return issue(factory)


def test_the_month_is_billed_when_it_is_over_and_settled(factory):
    """A job runs over the month's end: nothing is billed before its part of the old month is settled, then once."""
    address(factory)
    before, end = month(factory), month_end(factory.clock.now())
    factory.pass_time(end - factory.clock.now() - 2 * HOUR_MS)
    factory.run_rounds()
    job = factory.submit(a_job("sleep 14400", limit_s=20_000))
    factory.pass_time(2 * HOUR_MS + 60_000)
    assert factory.call(bill_last_month) == 0, "its hours of the old month are not charged yet"
    factory.run_rounds()
    assert factory.call(bill_last_month) == 1
    assert factory.call(bill_last_month) == 0
    (row,) = factory.store.rows("invoices", {}).rows
    assert row["period"] == before
    factory.pass_time(5 * HOUR_MS)
    issue(factory)
    billed = sum(row["net_micro_eur"] for row in factory.store.rows("invoices", {}).rows)
    assert billed == factory.job(job)["charged"], "both months together are the job"


def test_who_has_no_address_is_named_and_comes_again(factory, caplog):
    work(factory)
    factory.pass_time(month_end(factory.clock.now()) - factory.clock.now() + HOUR_MS)
    assert factory.call(bill_last_month) == 0
    assert organisation_of(factory) in caplog.text
    address(factory)
    assert factory.call(bill_last_month) == 1


def test_the_energy_of_the_month_stands_on_the_invoice():
    energy = wording.Energy(4_320_000_000, "modelled", 456_789, 0)
    note = wording.energy_note("de", "Pumpen", "2026-11", energy)
    assert note == (
        "Energie von Projekt Pumpen in 2026-11, bis zur Ausstellung: 1,200000 kWh (modelliert), mit den Anteilen an Leerlauf, "
        "Kühlung und Verlusten; CO2 standortbezogen 456,789 g, marktbezogen 0,000 g."
    )
    assert "CO2" not in wording.energy_note("en", "Pumps", "2026-11", replace(energy, carbon_market_mg=None))
