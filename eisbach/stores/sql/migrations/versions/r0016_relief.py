"""By how much the price of a booking fell for time in which the cap on its site's power did not carry it.

Revision ID: 0016
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the column; in older logs no price fell for that."""
    op.add_column("bookings", Column("relieved", INT, nullable=False, server_default="0"))
