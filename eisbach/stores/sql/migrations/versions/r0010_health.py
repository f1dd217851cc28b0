"""Tables about the health of nodes, maintenance and drains.

Revision ID: 0010
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "node_history",
        Column("mark", TEXT, primary_key=True),
        Column("node", TEXT, nullable=False),
        Column("at_ms", INT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("what", "cause", "by", "note")),
        sqlite_with_rowid=False,
    )
    op.create_index("node_history_by_node", "node_history", ["node", "mark"])
    op.create_table(
        "closures",
        Column("closure", TEXT, primary_key=True),
        *(Column(name, TEXT, nullable=False) for name in ("kind", "targets", "nodes")),
        *(Column(name, INT, nullable=False) for name in ("node_count", "from_ms", "until_ms")),
        *(Column(name, TEXT, nullable=False) for name in ("state", "by")),
        Column("announced_ms", INT, nullable=False),
        Column("ended_ms", INT, nullable=True),
        *(Column(name, TEXT, nullable=False) for name in ("ended_by", "note")),
        sqlite_with_rowid=False,
    )
