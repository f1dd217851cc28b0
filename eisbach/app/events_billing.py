"""Events about invoices and who they go to."""

from eisbach.app.event_body import Body


class BillingDetailsSet(Body, frozen=True):
    """Whom an organisation's invoices go to from now on; `details` commits to the text `<billing>/details`."""

    billing: str
    organisation: str
    treatment: str
    country: str
    details: str
    by: str


class InvoiceIssued(Body, frozen=True):
    """A document that bills the ledger's transfers from `from_seq` to `to_seq` (both included) for one month.

    `kind` is `invoice`, or `credit-note` where more was taken back than charged. `net_micro_eur` is the ledger's exact
    sum, the cents are what is owed. `names` commits to the text `<invoice>/names`, `file_digest` is the SHA-256 of the
    file, `file_format` what wrote it.
    """

    invoice: str
    organisation: str
    kind: str
    period: str
    from_seq: int
    to_seq: int
    issued_ms: int
    due_ms: int
    net_micro_eur: int
    net_cents: int
    vat_cents: int
    gross_cents: int
    vat_category: str
    vat_permille: int
    file_format: str
    file_digest: str
    names: str
    by: str


class InvoiceCredited(Body, frozen=True):
    """A credit note that takes part of an invoice back, or all of it: the claim becomes smaller, the ledger stays.

    The reason stands in the text `<invoice>/names`.
    """

    invoice: str
    organisation: str
    refers_to: str
    period: str
    issued_ms: int
    net_cents: int
    vat_cents: int
    gross_cents: int
    vat_category: str
    vat_permille: int
    file_format: str
    file_digest: str
    names: str
    by: str


KINDS: dict[str, type[Body]] = {
    "billing.details_set": BillingDetailsSet,
    "invoice.issued": InvoiceIssued,
    "invoice.credited": InvoiceCredited,
}
