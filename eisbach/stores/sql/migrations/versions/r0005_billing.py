"""Tables about invoices and who they go to.

Revision ID: 0005
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _column(name: str, kind: Any, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "billing_details",
        _key("billing", TEXT),
        _column("organisation", TEXT),
        _column("treatment", TEXT),
        _column("country", TEXT),
        _column("details", TEXT),
        _column("set_by", TEXT),
        _column("set_ms", INT),
    )
    op.create_index("billing_details_by_organisation", "billing_details", ["organisation", "billing"])
    op.create_table(
        "invoices",
        _key("invoice", TEXT),
        _column("organisation", TEXT),
        _column("kind", TEXT),
        _column("period", TEXT),
        _column("from_seq", INT, null=True),
        _column("to_seq", INT, null=True),
        _column("issued_ms", INT),
        _column("due_ms", INT),
        _column("net_micro_eur", INT),
        _column("net_cents", INT),
        _column("vat_cents", INT),
        _column("gross_cents", INT),
        _column("vat_category", TEXT),
        _column("vat_permille", INT),
        _column("file_format", TEXT),
        _column("file_digest", TEXT),
        _column("refers_to", TEXT),
        _column("issued_by", TEXT),
        _column("seq", INT),
    )
    op.create_index("invoices_by_organisation", "invoices", ["organisation", "invoice"])
    op.create_index("invoices_by_what_they_correct", "invoices", ["refers_to", "invoice"])
