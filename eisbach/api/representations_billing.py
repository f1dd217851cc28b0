"""How invoices become the JSON of `/v1`: cents as integers and as text, lines with their exact amounts beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eisbach.api.representations import Json, instant_text, money
from eisbach.core.billing import wording
from eisbach.core.billing.invoice import Document, Line
from eisbach.core.billing.parties import Buyer, missing_of_buyer
from eisbach.core.vocabulary.interval import date_text
from eisbach.ports.store import Row


def billing_details(organisation: str, buyer: Buyer, row: Mapping[str, Any] | None) -> Json:
    """Return whom invoices go to, and what is missing before one can be issued."""
    set_ms = row["set_ms"] if row is not None else None
    missing = [one.field for one in missing_of_buyer(buyer)]
    return {"organisation": organisation, **asdict(buyer), "missing": missing, "set_at": instant_text(set_ms)}


def invoice(row: Row) -> Json:
    """Return an invoice or credit note as lists show it."""
    return {
        **issued(row),
        "refers_to": row["refers_to"] or None,
        "from_seq": row["from_seq"],
        "to_seq": row["to_seq"],
        "vat_category": row["vat_category"],
        "vat_percent": wording.percent_text(row["vat_permille"]),
        **money("ledger_net", row["net_micro_eur"]),
        "file_format": row["file_format"],
        "log_position": row["seq"],
    }


def issued(reply: Mapping[str, Any]) -> Json:
    """Return what is known of a document the moment it is issued."""
    amounts = {
        key: value
        for name in ("net", "vat", "gross")
        for key, value in ((f"{name}_cents", reply[f"{name}_cents"]), (f"{name}_eur", wording.cents_text(reply[f"{name}_cents"])))
    }
    return {
        "invoice": reply["invoice"],
        "kind": reply["kind"],
        "organisation": reply["organisation"],
        "period": reply["period"],
        **amounts,
        "issued_at": instant_text(reply["issued_ms"]),
        "due_on": date_text(reply["due_ms"]),
        "file_digest": reply["file_digest"],
    }


def document(row: Row, found: Document, notes: Sequence[Row]) -> Json:
    """Return a document with its parties and lines; `credit_notes` are those that took some of it back."""
    return {
        **invoice(row),
        "title": wording.title(found),
        "is_example": found.names.seller.is_example,
        "seller": asdict(found.names.seller),
        "buyer": asdict(found.names.buyer),
        "notes": wording.notes(found),
        "payment_terms": wording.payment_terms(found),
        "vat_reason": found.totals.vat.reason,
        "reason": found.names.reason,
        "lines": [_line(found, line) for line in found.lines],
        "credit_notes": [invoice(note) for note in notes],
    }


def _line(found: Document, line: Line) -> Json:
    supply = line.supply
    place = found.names.places.get(supply.site)
    return {
        "number": line.number,
        "name": wording.line_name(found, line),
        "description": wording.line_description(found, line),
        "project": supply.project or None,
        "project_name": found.names.projects.get(supply.project, ""),
        "site": supply.site or None,
        "country": place.country if place is not None else "",
        "label": place.label if place is not None else "",
        "flavour": supply.flavour,
        "capacity_class": supply.capacity_class,
        "tariff": supply.tariff,
        "is_taken_back": supply.is_taken_back,
        "quantity": wording.quantity_text(line.hours),
        "unit": "h" if supply.flavour else "",
        **money("price", supply.price),
        **money("ledger", line.amount),
        "net_cents": line.cents,
        "net_eur": wording.cents_text(line.cents),
    }


def price_version(answer: Mapping[str, Any]) -> Json:
    """Return a version of the prices."""
    return {
        "version": answer["version"],
        "label": answer["label"],
        "holds": answer["holds"],
        "valid_from_at": instant_text(answer["valid_from_ms"]),
        "valid_until_at": instant_text(answer["valid_until_ms"]),
        **money("core_hour", answer["core_hour"]),
        **money("memory_gib_hour", answer["memory_gib_hour"]),
        "gpu_hour_micro_eur": answer["gpu_hour"],
        "spot_permille": answer["spot_permille"],
    }
