"""A credit note takes an invoice back, in part or whole: the claim becomes smaller, the ledger stays as it is.

The ledger says what was held and what it cost; budgets follow from that. A credit note says that less of it is owed,
so no budget grows by it (docs/decisions/0012).
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from eisbach.app.commands import Actor, Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.events_billing import InvoiceCredited
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.app.issue_invoice import NO_OFFICE, OVERTAKEN, TRIES_MAX, refused, reply_of
from eisbach.app.read_invoices import credit_line, digest_of, document_of, totals_in
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.billing.invoice import CENT, Document, DocumentKind, Totals, credited
from eisbach.core.billing.numbering import number_of
from eisbach.core.billing.wording import cents_text
from eisbach.core.vocabulary.interval import year_and_month
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be credited: the invoice, the net sum in cents (None: all that is left), and why."""

    invoice: str
    net_cents: int | None
    reason: str


def credit(
    application: "Application",
    actor: Actor,
    invoice: str,
    net_cents: int | None,
    reason: str,
    key: IdempotencyKey | None = None,
) -> Answer:
    """Issue a credit note for an invoice; blocks until it is durable. `net_cents` None takes all that is left back."""
    office = application.office
    if office is None:
        return NO_OFFICE
    for _ in range(TRIES_MAX):
        now = application.clock.now()
        seen = application.ask(partial(_seen, invoice=invoice, at_ms=now)).result()
        document = _prepare(application, _Asked(invoice, net_cents, reason.strip()), seen, now)
        if isinstance(document, Refusal):
            return application.perform(refused(document), key).result()
        file = office.documents.make(document)
        answer = application.perform(_command(actor, office, document, file, seen), key).result()
        if answer is OVERTAKEN:
            continue
        if not isinstance(answer, Refusal) and answer["invoice"] == document.number:
            office.documents.keep(document.number, file)
        return answer
    return OVERTAKEN


Seen = tuple[int, int, tuple[int, int]]
"""year, documents numbered in it, net and VAT in cents that were credited before"""


def _seen(state: FactoryState, now: int, *, invoice: str, at_ms: int) -> Seen:
    year, _ = year_and_month(at_ms)
    return year, state.billing.documents_of(year), state.billing.credited.get(invoice, (0, 0))


def _prepare(application: "Application", asked: _Asked, seen: Seen, now: int) -> Document | Refusal:
    year, count, (net_before, vat_before) = seen
    corrected = document_of(application.reader, asked.invoice)
    if corrected is None:
        return Refusal(Reason.NOT_FOUND, f"There is no invoice {asked.invoice!r}", "Look at `eisbach invoice list`")
    if isinstance(corrected, Refusal):
        return corrected
    row = application.reader.row("invoices", asked.invoice) or {}
    totals = totals_in(row)
    before = Totals(net_cents=net_before, vat_cents=vat_before, gross_cents=net_before + vat_before, vat=totals.vat)
    left = totals.net_cents - net_before
    net_cents = left if asked.net_cents is None else asked.net_cents
    refusal = _refused(corrected, asked, left, net_cents)
    if refusal is not None:
        return refusal
    return replace(
        corrected,
        number=number_of(year, count + 1),
        kind=DocumentKind.CREDIT_NOTE,
        issued_ms=now,
        due_ms=now,
        names=replace(corrected.names, reason=asked.reason, notes=()),
        lines=credit_line(net_cents),
        totals=credited(net_cents, before, totals),
        refers_to=(corrected.number, corrected.issued_ms),
    )


def _refused(corrected: Document, asked: _Asked, left: int, net_cents: int) -> Refusal | None:
    number = corrected.number
    if corrected.kind is DocumentKind.CREDIT_NOTE:
        return Refusal(Reason.INVALID_ARGUMENT, f"{number} is a credit note itself", "Name the invoice", "invoice")
    if not asked.reason or len(asked.reason) > REASON_MAX or not asked.reason.isprintable():
        what = "A credit note says why, in 1 to 200 printable characters"
        return Refusal(Reason.INVALID_ARGUMENT, what, "Give a reason", "reason")
    if not 0 < net_cents <= left:
        what = f"{cents_text(net_cents)} EUR net cannot be credited: {cents_text(left)} EUR of {number} are left"
        values = {"invoice": number, "left_micro_eur": left * CENT}
        return Refusal(Reason.CREDIT_TOO_LARGE, what, "Credit more than nothing and at most what is left", "net_cents", values)
    return None


def _command(actor: Actor, office: InvoiceOffice, document: Document, file: bytes, seen: Seen) -> Command:
    content = msgspec.json.encode(document.names, order="deterministic").decode()
    refers_to = document.refers_to[0] if document.refers_to is not None else ""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if _seen(state, context.now, invoice=refers_to, at_ms=document.issued_ms) != seen:
            return OVERTAKEN
        commitment, text = commit_to(context.ids, f"{document.number}/names", content)
        totals = document.totals
        event = InvoiceCredited(
            invoice=document.number,
            organisation=document.organisation,
            refers_to=refers_to,
            period=document.period,
            issued_ms=document.issued_ms,
            net_cents=totals.net_cents,
            vat_cents=totals.vat_cents,
            gross_cents=totals.gross_cents,
            vat_category=totals.vat.category,
            vat_permille=totals.vat.permille,
            file_format=office.documents.format,
            file_digest=digest_of(file),
            names=commitment,
            by=actor.token,
        )
        return Decision(events=(event,), texts=(text,), reply=reply_of(document, event), status=201)

    return decide
