"""The NVLink domain of a node, and when it is commissioned.

Revision ID: 0013
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns; what older logs do not say is what their events are read as."""
    op.add_column("nodes", Column("nvlink", TEXT, nullable=False, server_default=""))
    op.add_column("nodes", Column("from_ms", INT, nullable=False, server_default="0"))
