"""Invoices as XRechnung 3.0 in the syntax CII (EN 16931), written by drafthorse and checked against its schema."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from drafthorse.models.accounting import ApplicableTradeTax
from drafthorse.models.document import Document as CrossIndustryInvoice
from drafthorse.models.note import IncludedNote
from drafthorse.models.party import TaxRegistration, TradeParty
from drafthorse.models.payment import PaymentMeans, PaymentTerms
from drafthorse.models.trade import TradeSettlement
from drafthorse.models.tradelines import LineItem
from lxml import etree

from eisbach.adapters.private_files import write_private_bytes
from eisbach.core.billing import wording
from eisbach.core.billing.invoice import Document, DocumentKind, Line
from eisbach.core.billing.parties import Buyer, Seller
from eisbach.core.billing.vat import Vat
from eisbach.core.vocabulary.interval import period_bounds
from eisbach.core.vocabulary.money import euro_text
from eisbach.ports.documents import UnsoundDocument

SPECIFICATION = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
"""BT-24. Source: KoSIT, XRechnung 3.0.2."""
BUSINESS_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
"""BT-23. Source as above."""
SCHEMA = "FACTUR-X_EN16931"
TYPE_CODES = {DocumentKind.INVOICE: "380", DocumentKind.CREDIT_NOTE: "381"}
"""BT-3, of UNCL 1001."""
SEPA_TRANSFER = "58"
MAIL = "EM"
"""Scheme of an electronic address that is a mail address (code list EAS)."""
EURO = "EUR"


class XRechnungFolder:
    """Makes invoices and keeps them in a folder, one file for each number (implements ports.documents.Documents)."""

    format = "xrechnung-3.0-cii/1"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, document: Document) -> bytes:
        """Return the XML of a document; raise UnsoundDocument where the schema refuses it."""
        try:
            return bytes(_invoice(document).serialize(schema=SCHEMA))
        except (etree.XMLSyntaxError, ValueError) as error:
            raise UnsoundDocument(f"{document.number}: {error}") from error

    def keep(self, number: str, content: bytes) -> None:
        """Keep a file under a document's number."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_bytes(self._path(number), content)

    def kept(self, number: str) -> bytes | None:
        """Return the kept file of a number, or None."""
        path = self._path(number)
        return path.read_bytes() if path.exists() else None

    def _path(self, number: str) -> Path:
        return self._folder / f"{number}.xml"


def _invoice(document: Document) -> CrossIndustryInvoice:
    made = CrossIndustryInvoice()
    made.context.business_parameter.id = BUSINESS_PROCESS
    made.context.guideline_parameter.id = SPECIFICATION
    made.header.id = document.number
    made.header.type_code = TYPE_CODES[document.kind]
    made.header.issue_date_time = _day(document.issued_ms)
    for text in wording.notes(document):
        note = IncludedNote()
        note.content = text
        made.header.notes.add(note)
    names = document.names
    agreement = made.trade.agreement
    agreement.buyer_reference = names.buyer.buyer_reference or document.organisation
    _seller(agreement.seller, names.seller)
    _buyer(agreement.buyer, names.buyer)
    made.trade.delivery.event.occurrence = _last_day(document)
    _settlement(made.trade.settlement, document)
    for line in document.lines:
        made.trade.items.add(_line(document, line))
    return made


def _seller(party: TradeParty, seller: Seller) -> None:
    party.name = seller.name
    party.contact.person_name = seller.contact_name
    party.contact.telephone.number = seller.contact_phone
    party.contact.email.address = seller.contact_mail
    _address(party, seller)
    _tax_id(party, seller.vat_id)


def _buyer(party: TradeParty, buyer: Buyer) -> None:
    party.name = buyer.name
    if buyer.contact_name:
        party.contact.person_name = buyer.contact_name
    _address(party, buyer)
    if buyer.vat_id:
        _tax_id(party, buyer.vat_id)


def _address(party: TradeParty, of: Seller | Buyer) -> None:
    party.address.postcode = of.postcode
    party.address.line_one = of.street
    party.address.city_name = of.city
    party.address.country_id = of.country
    party.electronic_address.uri_ID = (MAIL, of.electronic_address)


def _tax_id(party: TradeParty, vat_id: str) -> None:
    registration = TaxRegistration()
    registration.id = ("VA", vat_id)
    party.tax_registrations.add(registration)


def _settlement(settlement: TradeSettlement, document: Document) -> None:
    seller, totals = document.names.seller, document.totals
    settlement.payment_reference = document.number
    settlement.currency_code = EURO
    means = PaymentMeans()
    means.type_code = SEPA_TRANSFER
    means.payee_account.iban = seller.iban
    means.payee_account.account_name = seller.name
    settlement.payment_means.add(means)
    tax = _tax(totals.vat)
    tax.calculated_amount = _euro(totals.vat_cents)
    tax.basis_amount = _euro(totals.net_cents)
    if totals.vat.reason:
        tax.exemption_reason = totals.vat.reason
        tax.exemption_reason_code = "VATEX-EU-AE"
    settlement.trade_tax.add(tax)
    start_ms, _ = period_bounds(document.period)
    settlement.period.start = _day(start_ms)
    settlement.period.end = _last_day(document)
    terms = PaymentTerms()
    terms.description = wording.payment_terms(document)
    if document.kind is DocumentKind.INVOICE:
        terms.due = _day(document.due_ms)
    settlement.terms.add(terms)
    summation = settlement.monetary_summation
    summation.line_total = _euro(totals.net_cents)
    summation.tax_basis_total = (_euro(totals.net_cents), None)
    summation.tax_total = (_euro(totals.vat_cents), EURO)
    summation.grand_total = (_euro(totals.gross_cents), None)
    summation.due_amount = _euro(totals.gross_cents)
    if document.refers_to is not None:
        number, issued_ms = document.refers_to
        settlement.invoice_referenced_document.issuer_assigned_id = number
        settlement.invoice_referenced_document.issue_date_time = _day(issued_ms)


def _line(document: Document, line: Line) -> LineItem:
    made = LineItem()
    made.document.line_id = str(line.number)
    made.product.name = wording.line_name(document, line)
    description = wording.line_description(document, line)
    if description:
        made.product.description = description
    made.agreement.net.amount = Decimal(euro_text(line.supply.price))
    unit = "HUR" if line.supply.flavour else "C62"
    made.delivery.billed_quantity = (wording.quantity_text(line.hours), unit)  # as text: Decimal writes 7E-8
    vat = document.totals.vat
    made.settlement.trade_tax.type_code = "VAT"
    made.settlement.trade_tax.category_code = vat.category
    made.settlement.trade_tax.rate_applicable_percent = Decimal(wording.percent_text(vat.permille))
    made.settlement.monetary_summation.total_amount = _euro(line.cents)
    return made


def _tax(vat: Vat) -> ApplicableTradeTax:
    tax = ApplicableTradeTax()
    tax.type_code = "VAT"
    tax.category_code = vat.category
    tax.rate_applicable_percent = Decimal(wording.percent_text(vat.permille))
    return tax


def _euro(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _day(instant: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).date()


def _last_day(document: Document) -> date:
    """The period is the month, up to the day of the document where the month still runs."""
    _, after_ms = period_bounds(document.period)
    return _day(min(after_ms - 1, document.issued_ms))
