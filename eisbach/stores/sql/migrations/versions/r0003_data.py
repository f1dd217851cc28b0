"""Tables about data sets and uploads.

Revision ID: 0003
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    texts = ("project", "name", "stage", "data_class")
    hashes = ("sha256", "manifest")
    places = ("places", "copying", "countries")
    op.create_table(
        "data_sets",
        Column("data_set", TEXT, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, nullable=False) for name in texts),
        Column("size", INT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in hashes),
        Column("chunks", INT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in places),
        *(Column(name, INT, nullable=True) for name in ("keep_ms", "keep_until_ms")),
        Column("expires_ms", INT, nullable=False),
        Column("announced_by", TEXT, nullable=False),
        Column("announced_ms", INT, nullable=False),
        *(Column(name, INT, nullable=True) for name in ("created_ms", "deleting_ms", "gone_ms")),
    )
    op.create_index("data_sets_by_project", "data_sets", ["project", "stage", "data_set"])
