"""Bills: whom they go to, the invoices that were issued, their files, and issuing and crediting them."""

from typing import Any

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas, schemas_billing
from eisbach.api.access import INVOICE, ORGANISATION, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import REPLAYED, JsonAnswer, perform
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations_billing import billing_details, document, invoice, issued
from eisbach.app import credit_invoice, issue_invoice, read_invoices, set_billing
from eisbach.app.commands import Answer
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["invoices"])

_XML: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The invoice as XRechnung 3.0 (CII), with its SHA-256 in Eisbach-Sha256 (hex).",
        "content": {"application/xml": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/v1/organisations/{organisation}/billing", response_model=schemas_billing.BillingDetails, summary="Whom invoices go to"
)
@allow("billing:read", ORGANISATION, "organisation")
def read_billing(call: CallNow, organisation: schemas.OrganisationPath) -> Response:
    """Return an organisation's billing details; `missing` names what an invoice still needs."""
    return JsonAnswer(billing_details(organisation, *set_billing.newest(call.application.reader, organisation)))


@router.put(
    "/v1/organisations/{organisation}/billing", response_model=schemas_billing.BillingDetails, summary="Say whom invoices go to"
)
@allow("billing:write", ORGANISATION, "organisation")
async def set_details(
    call: CallNow, organisation: schemas.OrganisationPath, new: schemas_billing.NewBillingDetails
) -> Response:
    """Set the billing details as a whole. Invoices that were issued keep the address they went to."""
    buyer, seller_country = set_billing.buyer_of(new.model_dump()), _office(call).seller.country
    problems = set_billing.problems(buyer, seller_country)
    if problems:
        raise Problem(*problems)
    command = set_billing.command(call.actor, organisation=organisation, buyer=buyer, seller_country=seller_country)
    return await perform(call, command, 200, lambda reply: billing_details(organisation, buyer, reply))


@router.get(
    "/v1/organisations/{organisation}/invoices", response_model=schemas_billing.Invoices, summary="List invoices and credit notes"
)
@allow("invoice:list", ORGANISATION, "organisation")
def list_invoices(
    call: CallNow, organisation: schemas.OrganisationPath, cursor: schemas.Cursor = None, limit: schemas.Limit = 100
) -> Response:
    """Return a page of an organisation's invoices and credit notes, newest first."""
    found = call.application.reader.rows("invoices", {"organisation": organisation}, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, invoice))


@router.post(
    "/v1/organisations/{organisation}/invoices", status_code=201, response_model=schemas_billing.Invoice, summary="Issue an invoice"
)
@allow("invoice:issue", ORGANISATION, "organisation")
def issue(call: CallNow, organisation: schemas.OrganisationPath, new: schemas_billing.NewInvoice) -> Response:
    """Issue an invoice for what is not billed yet of a month, up to now."""
    return _issued(issue_invoice.issue(call.application, call.actor, organisation, new.period, call.key()))


@router.get(
    "/v1/invoices/{invoice}.xml", response_class=Response, responses=_XML, summary="Download an invoice's file"
)
@allow("invoice:read", INVOICE, "invoice")
def download(call: CallNow, invoice: schemas_billing.InvoicePath) -> Response:
    """Send the invoice as XRechnung. A file that is gone or damaged is made again from the log first."""
    made = read_invoices.file_of(call.application.reader, _office(call), invoice)
    if made is None:
        raise Problem(ABSENT)
    if isinstance(made, Refusal):
        raise Problem(made)
    headers = {
        "Content-Disposition": f'attachment; filename="{invoice}.xml"',
        "Eisbach-Sha256": read_invoices.digest_of(made),
    }
    return Response(made, headers=headers, media_type="application/xml")


@router.get("/v1/invoices/{invoice}", response_model=schemas_billing.InvoiceWithLines, summary="Look at an invoice")
@allow("invoice:read", INVOICE, "invoice")
def read(call: CallNow, invoice: schemas_billing.InvoicePath) -> Response:
    """Return an invoice or credit note with its parties and lines, and what was credited of it since."""
    reader = call.application.reader
    row, found = reader.row("invoices", invoice), read_invoices.document_of(reader, invoice)
    if row is None or found is None:
        raise Problem(ABSENT)
    if isinstance(found, Refusal):
        raise Problem(found)
    notes = reader.rows("invoices", {"refers_to": invoice}, limit=1000).rows
    return JsonAnswer(document(row, found, notes))


@router.post(
    "/v1/invoices/{invoice}/credit", status_code=201, response_model=schemas_billing.Invoice, summary="Issue a credit note"
)
@allow("invoice:credit", INVOICE, "invoice")
def credit(call: CallNow, invoice: schemas_billing.InvoicePath, new: schemas_billing.NewCredit) -> Response:
    """Take an invoice back, in part (`net_cents`) or all that is left of it. The ledger and budgets stay as they are."""
    answer = credit_invoice.credit(call.application, call.actor, invoice, new.net_cents, new.reason, call.key())
    return _issued(answer)


def _issued(answer: Answer) -> Response:
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return JsonAnswer(issued(answer), 201, REPLAYED if "idempotent_replay" in answer else None)


def _office(call: Call) -> InvoiceOffice:
    office = call.application.office
    if office is None:
        raise Problem(issue_invoice.NO_OFFICE)
    return office
