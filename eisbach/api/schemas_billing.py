"""Schemas of `/v1` about bills: the same rules as in schemas.py."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from eisbach.api.schemas import Asked, At, Euro, MicroEuro, Paged, Told

InvoicePath = Annotated[str, Path(description="The number of the invoice or credit note.", examples=["2026-000001"])]
VersionPath = Annotated[str, Path(description="The version's name.")]
Line = Annotated[str, StringConstraints(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Cents = Annotated[int, Field(description="Cents.")]


class NewBillingDetails(Asked):
    name: Line = Field(default="", description="The legal name (BT-44).")
    street: Line = ""
    postcode: Line = ""
    city: Line = ""
    country: Line = Field(default="", description="ISO 3166-1 alpha-2.", examples=["DE"])
    electronic_address: Line = Field(default="", description="The mail address that invoices go to (BT-49).")
    treatment: Literal["domestic", "reverse-charge", "public"] = "domestic"
    vat_id: Line = Field(default="", description="Needed for reverse charge.")
    buyer_reference: Line = Field(default="", description="BT-10: the Leitweg-ID of a public body, or a reference of yours.")
    contact_name: Line = ""
    language: Literal["de", "en"] = "de"


class BillingDetails(Told):
    organisation: str
    name: str
    street: str
    postcode: str
    city: str
    country: str
    electronic_address: str
    treatment: str
    vat_id: str
    buyer_reference: str
    contact_name: str
    language: str
    missing: list[str] = Field(description="What an invoice needs and nobody has said yet.")
    set_at: At | None


class NewInvoice(Asked):
    period: str = Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month that runs or is over, such as 2026-11.")


class NewCredit(Asked):
    net_cents: int | None = Field(default=None, gt=0, le=10**12, description="Net; all that is left without it.")
    reason: str = Field(min_length=1, max_length=200)


class Invoice(Told):
    invoice: str
    kind: Literal["invoice", "credit-note"]
    organisation: str
    period: str
    net_cents: Cents
    net_eur: Euro
    vat_cents: Cents
    vat_eur: Euro
    gross_cents: Cents
    gross_eur: Euro
    issued_at: At
    due_on: str
    file_digest: str = Field(description="SHA-256 of the file, as it stands in the log.")


class ListedInvoice(Invoice):
    refers_to: str | None = Field(description="The invoice that a credit note corrects.")
    from_seq: int | None = Field(description="The first position of the log whose transfers are billed.")
    to_seq: int | None
    vat_category: str
    vat_percent: str
    ledger_net_micro_eur: MicroEuro
    ledger_net_eur: Euro
    file_format: str
    log_position: int


class Invoices(Paged):
    items: list[ListedInvoice]


class InvoiceWithLines(ListedInvoice):
    title: str
    is_example: bool
    seller: dict[str, Any]
    buyer: dict[str, Any]
    notes: list[str]
    payment_terms: str
    vat_reason: str
    reason: str
    lines: list[dict[str, Any]]
    credit_notes: list[ListedInvoice]


class PriceVersion(Told):
    version: str
    label: str
    holds: Literal["now", "later", "before"]
    valid_from_at: At
    valid_until_at: At | None = Field(description="Not included; null: until the next version begins.")
    core_hour_micro_eur: MicroEuro
    core_hour_eur: Euro
    memory_gib_hour_micro_eur: MicroEuro
    memory_gib_hour_eur: Euro
    gpu_hour_micro_eur: dict[str, int] = Field(description="By accelerator; `*` is every other one.")
    spot_permille: int = Field(description="What spot capacity costs, in thousandths of the price.")


class PriceVersions(Paged):
    items: list[PriceVersion]
