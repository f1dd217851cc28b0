"""Folding events about invoices and who they go to into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app import events_billing as e
from eisbach.app.event_body import Body
from eisbach.app.state import FactoryState
from eisbach.core.billing.numbering import number_of
from eisbach.core.vocabulary.interval import year_and_month
from eisbach.core.vocabulary.invariant import require


def _details(state: FactoryState, seq: int, at_ms: int, body: e.BillingDetailsSet) -> None:
    state.billing.details[body.organisation] = body.billing


def _issued(state: FactoryState, seq: int, at_ms: int, body: e.InvoiceIssued) -> None:
    _numbered(state, body.invoice, body.issued_ms)
    before = state.billing.billed_until(body.organisation, body.period)
    require(body.from_seq == before + 1 <= body.to_seq < seq, "each transfer is on one invoice at most")
    state.billing.billed_to.setdefault(body.organisation, {})[body.period] = body.to_seq


def _credited(state: FactoryState, seq: int, at_ms: int, body: e.InvoiceCredited) -> None:
    _numbered(state, body.invoice, body.issued_ms)
    net, vat = state.billing.credited.get(body.refers_to, (0, 0))
    state.billing.credited[body.refers_to] = (net + body.net_cents, vat + body.vat_cents)


def _numbered(state: FactoryState, number: str, issued_ms: int) -> None:
    year, _ = year_and_month(issued_ms)
    count = state.billing.documents_of(year) + 1
    require(number == number_of(year, count), "numbers of documents have no gaps")
    state.billing.documents[str(year)] = count


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {
    e.BillingDetailsSet: _details,
    e.InvoiceIssued: _issued,
    e.InvoiceCredited: _credited,
}
