"""`eisbach invoice` and `eisbach org billing`: what is owed, to whom it goes, and the files that say so."""

from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_organisation
from eisbach.cli.session import Session
from eisbach.core.vocabulary.money import parse_euro

Json = dict[str, Any]
DETAILS = (
    "name",
    "street",
    "postcode",
    "city",
    "country",
    "electronic_address",
    "treatment",
    "vat_id",
    "buyer_reference",
    "contact_name",
    "language",
)
CHUNK = 65_536
COLUMNS = ["NUMBER", "KIND", "PERIOD", "ISSUED", "DUE", ">NET EUR", ">VAT EUR", ">GROSS EUR"]

Organisation = Annotated[
    str | None, typer.Option("--organisation", "--org", metavar="ORG", help="Name or id; the only one there is without it.")
]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The invoice's number, such as 2026-000001.")]


def list_invoices(organisation: Organisation = None, output_format: Output = Format.TABLE) -> None:
    """List the invoices and credit notes of an organisation."""
    session = Session()
    owner = _organisation(session, organisation)
    found = list(session.client.pages(f"/v1/organisations/{segment(owner)}/invoices", limit=1000))
    rows = [
        [one["invoice"], one["kind"], one["period"], one["issued_at"][:10], one["due_on"], *_amounts(one)] for one in found
    ]
    empty = "No invoices yet. The operator issues one with `eisbach invoice issue --period YYYY-MM`."
    show(document("invoices", invoices=found), output_format, lambda is_wide: table(COLUMNS, rows, empty=empty))


def show_invoice(number: Number, output_format: Output = Format.TABLE) -> None:
    """Show an invoice with its lines."""
    found = Session().client.get(f"/v1/invoices/{segment(number)}")
    show(document("invoice", **found), output_format, lambda is_wide: _print_invoice(found))


def download(
    number: Number,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; NUMBER.xml here without it.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Download an invoice as XRechnung (XML)."""
    with Session().client.open(f"/v1/invoices/{segment(number)}.xml") as answer:
        content = b"".join(iter(lambda: answer.read(CHUNK), b""))
    path = to or Path(f"{number}.xml")
    path.write_bytes(content)
    show(
        document("invoice-file", invoice=number, path=str(path), size=len(content)),
        output_format,
        lambda is_wide: print(f"Wrote {path} ({len(content)} bytes)."),
    )


def issue(
    period: Annotated[str, typer.Option("--period", metavar="YYYY-MM", help="A month that runs or is over.")],
    organisation: Organisation = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Issue an invoice for what is not billed yet of a month."""
    session = Session()
    owner = _organisation(session, organisation)
    made = session.client.post(f"/v1/organisations/{segment(owner)}/invoices", {"period": period})
    show(document("invoice", **made), output_format, lambda is_wide: print(_issued(made)))


def credit(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands on the credit note.")],
    net: Annotated[str | None, typer.Option("--net", metavar="EUR", help="Net amount; all that is left without it.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Issue a credit note for an invoice, in part or whole."""
    body: Json = {"reason": reason, "net_cents": None if net is None else _cents(net)}
    made = Session().client.post(f"/v1/invoices/{segment(number)}/credit", body)
    show(document("invoice", **made), output_format, lambda is_wide: print(_issued(made)))


def show_billing(
    organisation: Annotated[str | None, typer.Argument(metavar="[ORG]", help="Name or id.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Show whom an organisation's invoices go to."""
    session = Session()
    found = session.client.get(f"/v1/organisations/{segment(_organisation(session, organisation))}/billing")
    show(document("billing-details", **found), output_format, lambda is_wide: _print_billing(found))


def set_billing(
    organisation: Annotated[str | None, typer.Argument(metavar="[ORG]", help="Name or id.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Legal name.")] = None,
    street: Annotated[str | None, typer.Option("--street", help="Street and number.")] = None,
    postcode: Annotated[str | None, typer.Option("--postcode", help="Postcode.")] = None,
    city: Annotated[str | None, typer.Option("--city", help="City.")] = None,
    country: Annotated[str | None, typer.Option("--country", help="ISO 3166-1 code, such as DE.")] = None,
    electronic_address: Annotated[
        str | None, typer.Option("--electronic-address", help="Mail address that invoices go to.")
    ] = None,
    treatment: Annotated[str | None, typer.Option("--treatment", help="domestic, reverse-charge or public.")] = None,
    vat_id: Annotated[str | None, typer.Option("--vat-id", help="VAT id; reverse charge needs it.")] = None,
    buyer_reference: Annotated[
        str | None, typer.Option("--buyer-reference", help="Leitweg-ID of a public body, or your reference.")
    ] = None,
    contact_name: Annotated[str | None, typer.Option("--contact-name", help="Who is asked about invoices.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Language of the invoice: de or en.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Say whom an organisation's invoices go to.

    What is not named stays as it is.
    """
    given = dict(locals())
    session = Session()
    path = f"/v1/organisations/{segment(_organisation(session, organisation))}/billing"
    known = session.client.get(path)
    new = {field: known[field] if given[field] is None else given[field] for field in DETAILS}
    made = session.client.put(path, new)
    show(document("billing-details", **made), output_format, lambda is_wide: _print_billing(made))


def _organisation(session: Session, wanted: str | None) -> str:
    if wanted is not None:
        return str(find_organisation(session, wanted)["organisation"])
    found = list(session.client.pages("/v1/organisations"))
    if len(found) == 1:
        return str(found[0]["organisation"])
    raise usage_error(f"Which organisation? There are {len(found)}", "Name one; see `eisbach org list`")


def _cents(text: str) -> int:
    try:
        amount = parse_euro(text)
    except ValueError as error:
        raise usage_error(str(error)) from error
    if amount % 10_000 or amount <= 0:
        raise usage_error(f"--net {text} is no amount in whole cents above nothing", "Write for example 12.34")
    return amount // 10_000


def _amounts(one: Json) -> list[str]:
    return [one["net_eur"], one["vat_eur"], one["gross_eur"]]


def _issued(made: Json) -> str:
    what = "invoice" if made["kind"] == "invoice" else "credit note"
    net, vat, gross = _amounts(made)
    return f"Issued {what} {made['invoice']}: {net} EUR net, {vat} EUR VAT, {gross} EUR in all."


def _print_invoice(found: Json) -> None:
    buyer, seller = found["buyer"], found["seller"]
    pairs(
        [
            (found["title"], found["invoice"]),
            ("corrects", found["refers_to"] or ""),
            ("reason", found["reason"]),
            ("from", f"{seller['name']}, {seller['city']}, {seller['vat_id']}"),
            ("to", f"{buyer['name']}, {buyer['postcode']} {buyer['city']}, {buyer['country']}"),
            ("period", found["period"]),
            ("issued", found["issued_at"][:10]),
            ("due", found["due_on"]),
            ("net", f"{found['net_eur']} EUR (the ledger says {found['ledger_net_eur']})"),
            (f"VAT {found['vat_percent']} %", f"{found['vat_eur']} EUR"),
            ("gross", f"{found['gross_eur']} EUR"),
            ("", found["vat_reason"]),
            ("credited by", ", ".join(one["invoice"] for one in found["credit_notes"])),
            ("file", f"sha256 {found['file_digest']}"),
            ("notes", "\n".join(found["notes"])),
        ]
    )
    print()
    rows = [
        [str(one["number"]), one["name"], one["project_name"], _place(one), one["quantity"], one["price_eur"], one["net_eur"]]
        for one in found["lines"]
    ]
    table([">LINE", "~ITEM", "~PROJECT", "PLACE", ">HOURS", ">EUR/H", ">EUR"], rows)


def _place(line: Json) -> str:
    if not line["site"]:
        return ""
    return f"{line['site']} ({line['country']}) {line['label']}".rstrip()


def _print_billing(found: Json) -> None:
    pairs([(field.replace("_", " "), str(found[field])) for field in DETAILS])
    if found["missing"]:
        print(f"Missing before an invoice can be issued: {', '.join(found['missing'])}.")
