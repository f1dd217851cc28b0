"""How long work runs at least before it gives way, and after how long usage counts half.

Revision ID: 0018
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns; what older logs do not say is what their events are read as."""
    op.add_column("scheduler_policies", Column("minimum_run_ms", INT, nullable=False, server_default="600000"))
    op.add_column("scheduler_policies", Column("half_life_hours", INT, nullable=False, server_default="168"))
