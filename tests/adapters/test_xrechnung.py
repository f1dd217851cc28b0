"""XRechnung 3.0: every kind of document passes the schema and schematron of EN 16931 and the German rules."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pytest
from lxml import etree

from eisbach.adapters.xrechnung import XRechnungFolder
from eisbach.app.read_invoices import credit_line
from eisbach.core.billing.invoice import Document, DocumentKind, Movement, Names, Place, Supply, lines_of, totals_of
from eisbach.core.billing.vat import REVERSE_CHARGE_REASON, Vat
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.ports.documents import UnsoundDocument
from tests.adapters.e_invoice_rules import BUYER, SETTLEMENT, broken_german_rules, check, texts
from tests.app.billing import FIRM
from tests.app.factory import SELLER

ISSUED_MS = 1_796_083_200_000 - 1  # the last instant of 2026-11
STANDARD = Vat("S", 190)
REVERSE = Vat("AE", 0, REVERSE_CHARGE_REASON)
GPU = Supply("prj_1", "muc", "h200.4", "on-demand", "list-1", 15_200_000, False)
CORES = Supply("prj_1", "muc", "cpu", "spot", "list-1", 45_000, False)
BACK = replace(GPU, is_taken_back=True)
AGENCY = replace(FIRM, name="Amt für Übermaß", treatment="public", buyer_reference="04011000-1234512345-06")
ABROAD = replace(
    FIRM, name="Pumpen Ges.m.b.H.", postcode="1010", city="Wien", country="AT", vat_id="ATU12345678", treatment="reverse-charge", language="en"
)


def a_document(*moved, buyer=FIRM, vat=STANDARD, seller=SELLER, project="Pumpen"):
    kind, lines, net = lines_of([Movement(supply, amount) for supply, amount in moved])
    names = Names(seller=seller, buyer=buyer, projects={"prj_1": project}, places={"muc": Place("DE", "simulated")})
    return Document(
        number="2026-000001",
        kind=kind,
        organisation="org_1",
        period="2026-11",
        issued_ms=ISSUED_MS,
        due_ms=ISSUED_MS + 14 * DAY_MS,
        names=names,
        lines=lines,
        totals=totals_of(net, vat),
    )


def made(document, tmp_path):
    return XRechnungFolder(tmp_path).make(document)


CASES = {
    "19 % domestic": a_document((GPU, 7_600_000), (CORES, 125)),
    "a fault of ours": a_document((GPU, 7_600_000), (BACK, -2_000_000)),
    "reverse charge": a_document((GPU, 7_600_000), buyer=ABROAD, vat=REVERSE),
    "public body": a_document((GPU, 7_600_000), buyer=AGENCY),
    "nothing to pay": a_document((GPU, 7_600_000), (BACK, -7_600_000)),
    "less than half a cent": a_document((CORES, 125)),
    "more taken back than charged": a_document((BACK, -7_600_000), (CORES, 450_000)),
    "an example seller": a_document((GPU, 7_600_000), seller=replace(SELLER, is_example=True)),
    "a contact and a reference": a_document((GPU, 1), buyer=replace(FIRM, contact_name="Frau Ä", buyer_reference="PO-4711")),
    "odd characters": a_document((GPU, 1_000_000), project="]]> & <b>\"'😀 ſ İ\u202e", buyer=replace(FIRM, name="Ça & <Œuvre> 工業 ﷽")),
    "many lines": a_document(*((replace(GPU, tariff=f"list-{n}", price=1_000_000 + 7 * n), 3_333 * n + 1) for n in range(1, 800))),
}


@pytest.mark.parametrize("document", CASES.values(), ids=CASES.keys())
def test_every_kind_of_document_is_an_xrechnung(document, tmp_path):
    content = made(document, tmp_path)
    tree = check(content)
    summed = sum(Decimal(text) for text in texts(tree, "//ram:LineTotalAmount[ancestor::ram:IncludedSupplyChainTradeLineItem]"))
    (net,) = texts(tree, f"{SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:TaxBasisTotalAmount")
    assert summed == Decimal(net) == Decimal(document.totals.net_cents) / 100
    exact = Decimal(sum(line.amount for line in document.lines)) / 1_000_000
    assert Decimal(net) == exact.quantize(Decimal("0.01"), ROUND_HALF_UP), "the ledger's sum, rounded once"
    assert made(document, tmp_path) == content, "the same document gives the same bytes"


def test_a_credit_note_names_the_invoice_it_corrects(tmp_path):
    first = CASES["public body"]
    note = replace(
        first,
        number="2026-000002",
        kind=DocumentKind.CREDIT_NOTE,
        lines=credit_line(150),
        totals=totals_of(150, STANDARD),
        names=replace(first.names, reason="Störung am 3. November & mehr"),
        refers_to=(first.number, first.issued_ms),
    )
    tree = check(made(note, tmp_path))
    assert texts(tree, "//rsm:ExchangedDocument/ram:TypeCode") == ["381"]
    assert texts(tree, "//ram:InvoiceReferencedDocument/ram:IssuerAssignedID") == ["2026-000001"]
    assert texts(tree, "//ram:SpecifiedTradeProduct/ram:Description") == ["Störung am 3. November & mehr"]


def test_reverse_charge_says_who_owes_the_tax(tmp_path):
    tree = check(made(CASES["reverse charge"], tmp_path))
    tax = f"{SETTLEMENT}/ram:ApplicableTradeTax"
    assert texts(tree, f"{tax}/ram:CategoryCode") == ["AE"]
    assert texts(tree, f"{tax}/ram:RateApplicablePercent") == ["0"]
    assert "Steuerschuldnerschaft des Leistungsempfängers" in texts(tree, f"{tax}/ram:ExemptionReason")[0]
    assert texts(tree, f"{BUYER}/ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']") == ["ATU12345678"]


def test_a_public_body_pays_vat_and_is_found_by_its_leitweg_id(tmp_path):
    tree = check(made(CASES["public body"], tmp_path))
    assert texts(tree, "//ram:BuyerReference") == ["04011000-1234512345-06"]
    assert texts(tree, f"{SETTLEMENT}/ram:ApplicableTradeTax/ram:RateApplicablePercent") == ["19"]


def test_simulated_places_and_example_sellers_are_visible(tmp_path):
    content = made(CASES["an example seller"], tmp_path).decode()
    assert "SIMULIERTER Standort" in content
    assert "MUSTER" in content


@pytest.mark.parametrize("name", ["bell \x07", "no character \ufffe", "half a pair \ud800"])
def test_what_xml_cannot_carry_is_never_written(name, tmp_path):
    with pytest.raises(UnsoundDocument):
        made(a_document((GPU, 1), buyer=replace(FIRM, name=name)), tmp_path)


def test_our_german_rules_find_what_they_are_for(tmp_path):
    """A rule that never fails proves nothing: each field that can be taken away is, once."""
    seller = replace(SELLER, contact_phone="-", contact_mail="a@b", iban="DE00120300000000202051")
    broken = made(a_document((GPU, 1), seller=seller, buyer=replace(FIRM, city="", postcode="")), tmp_path)
    found = {rule.split()[0] for rule in broken_german_rules(etree.fromstring(broken))}
    assert found == {"BR-DE-8", "BR-DE-9", "BR-DE-19", "BR-DE-27", "BR-DE-28"}


def test_files_are_kept_under_their_number(tmp_path):
    folder = XRechnungFolder(tmp_path / "invoices")
    assert folder.kept("2026-000001") is None
    folder.keep("2026-000001", b"<x/>")
    assert folder.kept("2026-000001") == b"<x/>"
    assert (tmp_path / "invoices" / "2026-000001.xml").stat().st_mode & 0o777 == 0o600
