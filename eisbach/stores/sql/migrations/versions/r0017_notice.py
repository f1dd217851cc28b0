"""When a job that is stopping is asked to, and how long before its signal work is told that it is preempted.

Revision ID: 0017
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns; what older logs do not say is what their events are read as."""
    op.add_column("jobs", Column("signal_ms", INT, nullable=True))
    op.add_column("scheduler_policies", Column("notice_ms", INT, nullable=False, server_default="30000"))
