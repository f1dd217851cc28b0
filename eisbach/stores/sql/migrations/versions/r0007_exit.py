"""Tables about exports and imports of organisations.

Revision ID: 0007
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "imports",
        Column("organisation", TEXT, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, nullable=False) for name in ("origin", "key", "head", "manifest", "site", "imported_by")),
        *(Column(name, INT, nullable=False) for name in ("records", "seq", "at_ms")),
        sqlite_with_rowid=False,
    )
