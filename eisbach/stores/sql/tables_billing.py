"""Tables about invoices and who they go to: rows of app/rows_billing.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

billing_details = Table(
    "billing_details",
    metadata,
    key_column("billing"),
    text_column("organisation"),
    text_column("treatment"),
    text_column("country"),
    text_column("details"),
    text_column("set_by"),
    int_column("set_ms"),
    Index("billing_details_by_organisation", "organisation", "billing"),
)
invoices = Table(
    "invoices",
    metadata,
    key_column("invoice"),
    text_column("organisation"),
    text_column("kind"),
    text_column("period"),
    int_column("from_seq", null=True),
    int_column("to_seq", null=True),
    int_column("issued_ms"),
    int_column("due_ms"),
    int_column("net_micro_eur"),
    int_column("net_cents"),
    int_column("vat_cents"),
    int_column("gross_cents"),
    text_column("vat_category"),
    int_column("vat_permille"),
    text_column("file_format"),
    text_column("file_digest"),
    text_column("refers_to"),
    text_column("issued_by"),
    int_column("seq"),
    Index("invoices_by_organisation", "organisation", "invoice"),
    Index("invoices_by_what_they_correct", "refers_to", "invoice"),
)
