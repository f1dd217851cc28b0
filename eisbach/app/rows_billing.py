"""Rows that follow from events about invoices and who they go to."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_billing as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op

PRIMARY_KEYS: dict[str, str] = {"billing_details": "billing", "invoices": "invoice"}
TEXT_COLUMNS: dict[str, str] = {"billing_details": "details"}


def _details(seq: int, at_ms: int, body: e.BillingDetailsSet, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "billing": body.billing,
        "organisation": body.organisation,
        "treatment": body.treatment,
        "country": body.country,
        "details": texts.get(f"{body.billing}/details", ""),
        "set_by": body.by,
        "set_ms": at_ms,
    }
    return [Insert("billing_details", row)]


def _issued(seq: int, at_ms: int, body: e.InvoiceIssued, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "kind": body.kind,
        "from_seq": body.from_seq,
        "to_seq": body.to_seq,
        "due_ms": body.due_ms,
        "net_micro_eur": body.net_micro_eur,
        "refers_to": "",
    }
    return [Insert("invoices", {**_document(seq, body), **row})]


def _credited(seq: int, at_ms: int, body: e.InvoiceCredited, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "kind": "credit-note",
        "from_seq": None,
        "to_seq": None,
        "due_ms": body.issued_ms,
        "net_micro_eur": body.net_cents * 10_000,
        "refers_to": body.refers_to,
    }
    return [Insert("invoices", {**_document(seq, body), **row})]


def _document(seq: int, body: e.InvoiceIssued | e.InvoiceCredited) -> dict[str, Any]:
    copied = ("invoice", "organisation", "period", "issued_ms", "net_cents", "vat_cents", "gross_cents", "vat_category")
    more = ("vat_permille", "file_format", "file_digest")
    return {**{name: getattr(body, name) for name in copied + more}, "issued_by": body.by, "seq": seq}


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    e.BillingDetailsSet: _details,
    e.InvoiceIssued: _issued,
    e.InvoiceCredited: _credited,
}
