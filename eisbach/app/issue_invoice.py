"""An invoice is issued: what an organisation's month owes and no invoice has billed yet, under the next number.

The document is put together outside the applier, from a view of the state and the committed ledger; the command then
takes it only where that view still holds, and gives it the number. So numbers have no gaps, no transfer is billed
twice, and nobody waits for a large invoice. Read `issue`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from eisbach.app import read_invoices, report_energy, set_billing
from eisbach.app.bill_movements import movements, places
from eisbach.app.commands import Actor, Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.events_billing import InvoiceIssued
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.billing import wording
from eisbach.core.billing.invoice import Document, Names, due, lines_of, totals_of
from eisbach.core.billing.numbering import number_of
from eisbach.core.billing.parties import Treatment, missing_of_buyer
from eisbach.core.billing.vat import vat_of
from eisbach.core.vocabulary.interval import month_of, period_bounds, year_and_month
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Reader

if TYPE_CHECKING:
    from eisbach.app.application import Application

TRIES_MAX = 5
OVERTAKEN = Refusal(
    Reason.OVERLOADED, "Other documents were issued in the same moment, several times", "Ask again in a moment"
)
"""The view that a document was made from no longer holds: it is made again."""
NO_OFFICE = Refusal(
    Reason.NOT_SUPPORTED, "This factory issues no invoices: nobody has said who sells", "Start it with a seller.toml in its home"
)


@dataclass(frozen=True, slots=True)
class View:
    """What a document depends on in the state: it may be issued only while all of this is still so."""

    details: str | None
    billed_until: int
    year: int
    count: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document with its file, and the stretch of the log that it bills."""

    view: View
    document: Document
    file: bytes
    from_seq: int
    to_seq: int
    net_micro_eur: int


def issue(
    application: "Application", actor: Actor, organisation: str, period: str, key: IdempotencyKey | None = None
) -> Answer:
    """Issue an invoice for what is not billed yet of a month, up to now; blocks until it is durable.

    Refused where nothing is to be billed, where the address is incomplete (one refusal, all missing fields in it),
    and where no VAT rate is known.
    """
    office = application.office
    if office is None:
        return NO_OFFICE
    for _ in range(TRIES_MAX):
        prepared = _prepare(application, office, organisation, period)
        if isinstance(prepared, Refusal):
            return application.perform(refused(prepared), key).result()
        answer = application.perform(_command(actor, office, prepared), key).result()
        if answer is OVERTAKEN:
            continue
        if not isinstance(answer, Refusal) and answer["invoice"] == prepared.document.number:
            office.documents.keep(prepared.document.number, prepared.file)
        return answer
    return OVERTAKEN


def refused(refusal: Refusal) -> Command:
    """Return the command that refuses; a request that was answered before, under its key, gets that answer again."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        return refusal

    return decide


def view_of(state: FactoryState, organisation: str, period: str, now: int) -> View:
    """Return what a document of an organisation's month depends on."""
    billing = state.billing
    year, _ = year_and_month(now)
    return View(
        billing.details.get(organisation), billing.billed_until(organisation, period), year, billing.documents_of(year)
    )


def incomplete(organisation: str, names: Names) -> Refusal | None:
    """Return the refusal of an invoice whose address is incomplete, or None."""
    missing = missing_of_buyer(names.buyer)
    if not missing:
        return None
    options = " ".join(f"--{one.field.replace('_', '-')} ..." for one in missing)
    return Refusal(
        Reason.BILLING_DETAILS_MISSING,
        f"The invoice cannot be addressed: {', '.join(one.what for one in missing)}",
        f"Fill it in with `eisbach org billing set {organisation} {options}` or on the portal's page Billing details",
        missing[0].field,
        {"missing": [one.field for one in missing]},
    )


def _prepare(application: "Application", office: InvoiceOffice, organisation: str, period: str) -> _Prepared | Refusal:
    reader, now = application.reader, application.clock.now()
    if period > month_of(now):
        return Refusal(
            Reason.INVALID_ARGUMENT, f"The month {period} has not begun", "Bill a month that runs or is over", "period"
        )
    view = application.ask(lambda state, _: view_of(state, organisation, period, now)).result()
    projects = read_invoices.projects_of(reader, organisation)
    from_seq, to_seq = view.billed_until + 1, reader.log_size() - 1
    moved = movements(reader, [row["project"] for row in projects], period, from_seq, to_seq)
    if not moved:
        what = f"Nothing of {period} is left to bill" if view.billed_until >= 0 else f"Nothing was charged in {period}"
        return Refusal(Reason.NOTHING_TO_BILL, what, "Look at `eisbach invoice list` and `eisbach cost --period`", "period", {"period": period})
    kind, lines, net_cents = lines_of(moved)
    buyer = set_billing.details_of(reader, view.details)
    titles = {row["project"]: row["name"] for row in projects}
    names = Names(
        seller=office.seller,
        buyer=buyer,
        projects=titles,
        places=places(reader, moved),
        notes=_energy_notes(reader, {one.supply.project for one in moved}, titles, period, buyer.language),
    )
    refusal = incomplete(organisation, names)
    if refusal is not None:
        return refusal
    supplied_ms = min(now, period_bounds(period)[1] - 1)  # what counts is when it was supplied, not when it is billed
    vat = vat_of(Treatment(names.buyer.treatment), office.rates, office.seller.country, supplied_ms)
    if vat is None:
        what = f"No VAT rate of {office.seller.country} is known for {period}"
        return Refusal(Reason.NO_VAT_RATE, what, "The operator adds a [[vat]] to seller.toml and restarts")
    document = Document(
        number=number_of(view.year, view.count + 1),
        kind=kind,
        organisation=organisation,
        period=period,
        issued_ms=now,
        due_ms=due(now, office.seller.payment_days),
        names=names,
        lines=lines,
        totals=totals_of(net_cents, vat),
    )
    net_micro_eur = sum(line.amount for line in lines)
    return _Prepared(view, document, office.documents.make(document), from_seq, to_seq, net_micro_eur)


def _energy_notes(
    reader: Reader, projects: Collection[str], titles: Mapping[str, str], period: str, language: str
) -> list[str]:
    """Return what the billed projects drew in the month so far, where a meter has it; kept with the invoice's names."""
    notes: list[str] = []
    for project in sorted(projects):
        found = report_energy.of_project(reader, project, period)
        if found["total_mj"]:
            known = ("total_mj", "label", "carbon_location_mg", "carbon_market_mg")
            energy = wording.Energy(**{name: found[name] for name in known})
            notes.append(wording.energy_note(language, titles[project], period, energy))
    return notes


def _command(actor: Actor, office: InvoiceOffice, prepared: _Prepared) -> Command:
    document = prepared.document
    content = msgspec.json.encode(document.names, order="deterministic").decode()

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        now_holds = view_of(state, document.organisation, document.period, document.issued_ms)
        if now_holds != prepared.view:
            return OVERTAKEN
        commitment, text = commit_to(context.ids, f"{document.number}/names", content)
        totals = document.totals
        event = InvoiceIssued(
            invoice=document.number,
            organisation=document.organisation,
            kind=document.kind.value,
            period=document.period,
            from_seq=prepared.from_seq,
            to_seq=prepared.to_seq,
            issued_ms=document.issued_ms,
            due_ms=document.due_ms,
            net_micro_eur=prepared.net_micro_eur,
            net_cents=totals.net_cents,
            vat_cents=totals.vat_cents,
            gross_cents=totals.gross_cents,
            vat_category=totals.vat.category,
            vat_permille=totals.vat.permille,
            file_format=office.documents.format,
            file_digest=read_invoices.digest_of(prepared.file),
            names=commitment,
            by=actor.token,
        )
        return Decision(events=(event,), texts=(text,), reply=reply_of(document, event), status=201)

    return decide


def reply_of(document: Document, event: msgspec.Struct) -> dict[str, object]:
    """Return what whoever asked for a document is told."""
    told = {name: getattr(event, name) for name in ("invoice", "organisation", "period", "issued_ms", "file_digest")}
    totals = document.totals
    amounts = {"net_cents": totals.net_cents, "vat_cents": totals.vat_cents, "gross_cents": totals.gross_cents}
    return {**told, "kind": document.kind.value, "due_ms": document.due_ms, **amounts}
