"""What the owner of a booking gets for nodes that fail, and until when he got longer for them.

Revision ID: 0015
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns; what older logs do not say is what their events are read as."""
    op.add_column("bookings", Column("on_fault", TEXT, nullable=False, server_default="credit"))
    op.add_column("bookings", Column("given_until_ms", INT, nullable=True))
