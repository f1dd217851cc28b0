"""Documents as they were issued: put together again from the log, the ledger and the texts, to the last byte."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from eisbach.app.bill_movements import movements
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.core.billing.invoice import (
    CENT,
    HOUR_PARTS,
    Document,
    DocumentKind,
    Line,
    Names,
    Supply,
    Totals,
    lines_of,
)
from eisbach.core.billing.vat import REVERSE_CHARGE_REASON, Vat
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Reader, Row

PROJECTS_MAX = 1000


def document_of(reader: Reader, number: str) -> Document | Refusal | None:
    """Return a document by its number, from the log and the texts; None without such a number."""
    row = reader.row("invoices", number)
    if row is None:
        return None
    text = reader.text(f"{number}/names")
    if text is None:
        return Refusal(Reason.NOT_FOUND, f"The names on {number} were erased", "Its amounts stand in the list of invoices")
    names = msgspec.json.decode(text.content, type=Names)
    return _document(row, names, _lines(reader, row), _referred(reader, row))


def file_of(reader: Reader, office: InvoiceOffice, number: str) -> bytes | Refusal | None:
    """Return a document's file: the kept one where its digest is the one in the log, else made again and kept.

    A refusal where a made one has another digest: then this program writes otherwise than the one that issued it.
    """
    row = reader.row("invoices", number)
    if row is None:
        return None
    kept = office.documents.kept(number)
    if kept is not None and digest_of(kept) == row["file_digest"]:
        return kept
    document = document_of(reader, number)
    if not isinstance(document, Document):
        return document
    made = office.documents.make(document)
    if digest_of(made) != row["file_digest"]:
        return Refusal(
            Reason.INTERNAL_ERROR,
            f"{number} was written as {row['file_format']}, and this program ({office.documents.format}) makes other bytes of it",
            "Take the file from a backup: its SHA-256 is " + row["file_digest"],
        )
    office.documents.keep(number, made)
    return made


def projects_of(reader: Reader, organisation: str) -> list[Row]:
    """Return all projects of an organisation, by id."""
    found: list[Row] = []
    cursor: str | None = None
    while True:
        page = reader.rows("projects", {"organisation": organisation}, cursor=cursor, limit=PROJECTS_MAX)
        found += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return sorted(found, key=lambda row: str(row["project"]))


def credit_line(net_cents: int) -> tuple[Line, ...]:
    """Return the one line of a credit note for an invoice: the sum that is taken back."""
    amount = net_cents * CENT
    return (Line(1, Supply("", "", "", "", "", amount, is_taken_back=True), amount, HOUR_PARTS, net_cents),)


def totals_in(row: Row) -> Totals:
    """Return the totals of a document as its row has them."""
    reason = REVERSE_CHARGE_REASON if row["vat_category"] == "AE" else ""
    return Totals(
        net_cents=row["net_cents"],
        vat_cents=row["vat_cents"],
        gross_cents=row["gross_cents"],
        vat=Vat(row["vat_category"], row["vat_permille"], reason),
    )


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file in hex."""
    return sha256(content).hexdigest()


def _lines(reader: Reader, row: Row) -> Sequence[Line]:
    if row["refers_to"]:
        return credit_line(row["net_cents"])
    projects = [one["project"] for one in projects_of(reader, row["organisation"])]
    _, lines, _ = lines_of(movements(reader, projects, row["period"], row["from_seq"], row["to_seq"]))
    return lines


def _referred(reader: Reader, row: Row) -> tuple[str, int] | None:
    invoice = reader.row("invoices", row["refers_to"]) if row["refers_to"] else None
    return None if invoice is None else (invoice["invoice"], invoice["issued_ms"])


def _document(row: Row, names: Names, lines: Sequence[Line], refers_to: tuple[str, int] | None) -> Document:
    return Document(
        number=row["invoice"],
        kind=DocumentKind(row["kind"]),
        organisation=row["organisation"],
        period=row["period"],
        issued_ms=row["issued_ms"],
        due_ms=row["due_ms"],
        names=names,
        lines=lines,
        totals=totals_in(row),
        refers_to=refers_to,
    )
