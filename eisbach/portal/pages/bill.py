"""The bill: what a month cost, job by job, the invoices, and whom they go to."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from eisbach.app import bill_overview, credit_invoice, issue_invoice, read_invoices, set_billing
from eisbach.app.authorise import ABSENT
from eisbach.app.commands import Answer
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.app.visible import projects_of
from eisbach.core.billing import wording
from eisbach.core.billing.invoice import HOUR_PARTS, Document, Line
from eisbach.core.billing.parties import BUYER_FIELDS, Treatment, missing_of_buyer
from eisbach.core.vocabulary.interval import calendar_date, month_of, month_start
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import INVOICE, ORGANISATION, OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused, euro_of
from eisbach.portal.navigation import NavEntry
from eisbach.ports.store import Row
from eisbach.ports.translator import N_

PROJECTS_SHOWN = 50
INVOICES_SHOWN = 100
MONTHS_SHOWN = 12
MICRO_EUR_A_CENT = 10_000
TREATMENTS = {
    Treatment.DOMESTIC.value: N_("A firm in the seller's country: VAT is charged"),
    Treatment.REVERSE_CHARGE.value: N_("A firm in another country of the EU: reverse charge"),
    Treatment.PUBLIC.value: N_("A public body with a Leitweg-ID"),
}
LANGUAGES = {"de": "Deutsch", "en": "English"}


@page("GET", "/bill", "project:read", OWN)
def show_month(call: Call) -> Response:
    """Show what a month cost; an administrator also finds the invoices, an operator the organisations."""
    reader, now = call.application.reader, call.application.clock.now()
    this_month = month_of(now)
    period = call.query("month") or this_month
    months = _months(now)
    if period not in months:
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, f"There is no bill of {period!r}", "Choose a month", "month"))
    organisation = call.who.organisation if call.who.project is None else None
    is_bound = organisation is not None or call.who.project is not None
    projects = projects_of(reader, call.who, PROJECTS_SHOWN) if is_bound else []
    bills = bill_overview.of_projects(reader, projects, period, this_month)
    return call.render(
        "bill/month.html",
        bills=bills,
        places=bill_overview.places_of(reader, bills),
        period=period,
        months=months,
        organisations=[] if is_bound else reader.rows("organisations", {}, limit=INVOICES_SHOWN).rows,
        **(_invoices(call, organisation) if organisation is not None else {"organisation": None}),
    )


@page("GET", "/bill/{organisation}", "invoice:list", ORGANISATION, "organisation")
def show_invoices(call: Call) -> Response:
    """Show an organisation's invoices, and what an invoice still needs."""
    return _show_invoices(call)


@page("POST", "/bill/{organisation}/issue", "invoice:issue", ORGANISATION, "organisation")
def issue(call: Call) -> Response:
    """Issue an invoice for what is not billed yet of a month."""
    organisation, period = call.parameter("organisation"), call.form.text("month")
    if period not in _months(call.application.clock.now()):
        refusal = Refusal(Reason.INVALID_ARGUMENT, f"{period!r} is no month to be billed", "Choose a month", "month")
        return _show_invoices(call, refusal)
    answer = issue_invoice.issue(call.application, call.who, organisation, period, call.key())
    if isinstance(answer, Refusal):
        return _show_invoices(call, answer)
    return call.redirect(f"/invoices/{answer['invoice']}", "invoice-issued")


@page("GET", "/bill/{organisation}/address", "billing:read", ORGANISATION, "organisation")
def show_address(call: Call) -> Response:
    """Show whom invoices go to, as a form."""
    buyer, _ = set_billing.newest(call.application.reader, call.parameter("organisation"))
    return _address_form(call, {field: str(getattr(buyer, field)) for field in BUYER_FIELDS})


@page("POST", "/bill/{organisation}/address", "billing:write", ORGANISATION, "organisation")
def set_address(call: Call) -> Response:
    """Say whom invoices go to; each field that cannot be so is told beside it."""
    organisation = call.parameter("organisation")
    typed = {field: call.form.text(field) for field in BUYER_FIELDS}
    buyer, country = set_billing.buyer_of(typed), _office(call).seller.country
    problems = set_billing.problems(buyer, country)
    if problems:
        return _address_form(call, typed, problems)
    call.perform(set_billing.command(call.who, organisation=organisation, buyer=buyer, seller_country=country))
    return call.redirect(f"/bill/{organisation}/address", "address-set")


@page("GET", "/invoices/{invoice}", "invoice:read", INVOICE, "invoice")
def show_invoice(call: Call) -> Response:
    """Show an invoice as it can be printed."""
    return _show_invoice(call)


@page("GET", "/invoices/{invoice}/file", "invoice:read", INVOICE, "invoice")
def send_file(call: Call) -> Response:
    """Send an invoice as XRechnung, always as a download."""
    number = call.parameter("invoice")
    made = read_invoices.file_of(call.application.reader, _office(call), number)
    if made is None:
        raise Refused(ABSENT)
    if isinstance(made, Refusal):
        raise Refused(made)
    headers = {"Content-Disposition": f'attachment; filename="{number}.xml"', "Cache-Control": "no-store"}
    return Response(made, headers=headers, media_type="application/xml")


@page("POST", "/invoices/{invoice}/credit", "invoice:credit", INVOICE, "invoice")
def credit(call: Call) -> Response:
    """Issue a credit note: part of an invoice, or, with an empty amount, all that is left of it."""
    number, reason = call.parameter("invoice"), call.form.text("reason")
    try:
        cents = _cents(call) if call.form.text("net") else None
        answer = credit_invoice.credit(call.application, call.who, number, cents, reason, call.key())
        done = _accepted(answer)
    except Refused as refused:
        return _show_invoice(call, refused.refusals)
    return call.redirect(f"/invoices/{done['invoice']}", "credit-issued")


def _show_invoices(call: Call, refusal: Refusal | None = None) -> Response:
    organisation = call.parameter("organisation")
    row = call.application.reader.row("organisations", organisation)
    if row is None:
        raise Refused(ABSENT)
    return call.render(
        "bill/invoices.html",
        status=200 if refusal is None else 422,
        refusals=() if refusal is None else (refusal,),
        name=row["name"],
        months=_months(call.application.clock.now()),
        may_issue=call.may("invoice:issue", (ORGANISATION, organisation)),
        form_id=call.new_form_id(),
        **_invoices(call, organisation),
    )


def _invoices(call: Call, organisation: str) -> dict[str, Any]:
    reader = call.application.reader
    buyer, _ = set_billing.newest(reader, organisation)
    return {
        "organisation": organisation,
        "invoices": reader.rows("invoices", {"organisation": organisation}, limit=INVOICES_SHOWN).rows,
        "buyer": buyer,
        "missing": [one.field for one in missing_of_buyer(buyer)],
    }


def _show_invoice(call: Call, refusals: Sequence[Refusal] = ()) -> Response:
    reader, number = call.application.reader, call.parameter("invoice")
    row, document = reader.row("invoices", number), read_invoices.document_of(reader, number)
    if row is None or document is None:
        raise Refused(ABSENT)
    if isinstance(document, Refusal):
        raise Refused(document)
    notes: Sequence[Row] = reader.rows("invoices", {"refers_to": number}, limit=INVOICES_SHOWN).rows
    left = row["net_cents"] - sum(note["net_cents"] for note in notes)
    return call.render(
        "bill/invoice.html",
        status=422 if refusals else 200,
        refusals=refusals,
        row=row,
        document=document,
        lines=[_shown_line(document, line) for line in document.lines],
        terms=wording.payment_terms(document),
        notes=wording.notes(document),
        credit_notes=notes,
        left_cents=left,
        may_credit=left > 0 and not row["refers_to"] and call.may("invoice:credit", (INVOICE, number)),
        typed={"net": call.form.text("net"), "reason": call.form.text("reason")},
        form_id=call.new_form_id(),
    )


def _shown_line(document: Document, line: Line) -> dict[str, Any]:
    place = document.names.places.get(line.supply.site)
    return {
        "number": line.number,
        "name": wording.line_name(document, line),
        "description": wording.line_description(document, line),
        "label": place.label if place is not None else "",
        "hours": line.hours / HOUR_PARTS if line.supply.flavour else None,
        "price": line.supply.price,
        "cents": line.cents,
    }


def _address_form(call: Call, typed: dict[str, str], problems: Sequence[Refusal] = ()) -> Response:
    organisation = call.parameter("organisation")
    row = call.application.reader.row("organisations", organisation)
    return call.render(
        "bill/address.html",
        status=422 if problems else 200,
        refusals=problems,
        organisation=organisation,
        name=row["name"] if row is not None else "",
        typed=typed,
        treatments=TREATMENTS,
        invoice_languages=LANGUAGES,
        may_write=call.may("billing:write", (ORGANISATION, organisation)),
        form_id=call.new_form_id(),
    )


def _cents(call: Call) -> int:
    amount = euro_of(call.form, "net", call.speech.language)
    if amount % MICRO_EUR_A_CENT or amount <= 0:
        what = f"{call.form.text('net')!r} is no amount in whole cents above nothing"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, f"Write for example {wording.cents_text(1234)}", "net"))
    return amount // MICRO_EUR_A_CENT


def _accepted(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return dict(answer)


def _office(call: Call) -> InvoiceOffice:
    office = call.application.office
    if office is None:
        raise Refused(issue_invoice.NO_OFFICE)
    return office


def _months(now: int) -> list[str]:
    """Return this month and those before it, newest first."""
    year, month, _ = calendar_date(now)
    return [month_of(month_start(year - 1, month + 12 - back)) for back in range(MONTHS_SHOWN)]


PAGES = (
    show_month,
    show_invoices,
    issue,
    show_address,
    set_address,
    show_invoice,
    send_file,
    credit,
)
NAVIGATION = (NavEntry("/bill", N_("Bill"), "project:read", 600),)
NOTICES = {
    "invoice-issued": N_("The invoice is issued."),
    "credit-issued": N_("The credit note is issued."),
    "address-set": N_("Invoices go to this address from now on."),
}
