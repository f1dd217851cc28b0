"""Tables about promised starts and the scheduler's policy.

Revision ID: 0009
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "start_promises",
        Column("promise", TEXT, primary_key=True, autoincrement=False),
        Column("job", TEXT, nullable=False),
        Column("from_ms", INT, nullable=False),
        Column("until_ms", INT, nullable=True),
        Column("nodes", INT, nullable=False),
        Column("broken_by", TEXT, nullable=False),
        Column("at_ms", INT, nullable=False),
    )
    op.create_table(
        "scheduler_policies",
        Column("setting", TEXT, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, nullable=False) for name in ("policy", "ordered_by", "backfill")),
        *(
            Column(name, INT, nullable=False)
            for name in ("promises_max", "promised_nodes", "again_ms", "runtime_weight_permille")
        ),
        Column("set_by", TEXT, nullable=False),
        Column("at_ms", INT, nullable=False),
    )
