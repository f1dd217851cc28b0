"""Tables about quotes held, bookings and what becomes of them.

Revision ID: 0011
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and to each transfer the booking that it paid for."""
    texts = (
        "project", "option", "state", "cause", "site", "flavour", "nodes", "lost", "level", "domain", "tariff", "made_by",
    )  # fmt: skip
    amounts = (
        "node_count", "from_ms", "until_ms", "price", "charged", "credited", "fee", "settled_ms", "energy_wh", "made_ms",
    )  # fmt: skip
    op.create_table(
        "bookings",
        Column("booking", TEXT, primary_key=True, autoincrement=False),
        *(_column(name, TEXT) for name in texts),
        *(_column(name, INT) for name in amounts),
        _column("simulated", Boolean()),
        Column("carbon_g", INT, nullable=True),
        Column("ended_ms", INT, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("bookings_by_project", "bookings", ["project", "booking"])
    op.add_column("transfers", Column("booking", TEXT, nullable=True))
    op.add_column("jobs", Column("booking", TEXT, nullable=False, server_default=""))


def _column(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)
