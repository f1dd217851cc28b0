"""How much of an attempt's time its last known checkpoint holds.

Revision ID: 0014
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the column; older logs know of no checkpoint."""
    op.add_column("attempts", Column("saved_ms", INT, nullable=False, server_default="0"))
