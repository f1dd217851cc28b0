"""Tables about public promises.

Revision ID: 0006
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "promises",
        Column("promise", TEXT, primary_key=True, autoincrement=False),
        _column("metric", TEXT),
        _column("dropped", Boolean()),
        _column("recorded_ms", INT),
        Column("restated_ms", INT, nullable=True),
        sqlite_with_rowid=False,
    )
    said = ("promise", "cause", "metric", "title", "title_de", "counted_from", "due", "quote", "language", "date")
    source = ("speaker", "source", "url", "evidence", "comparison", "unit")
    op.create_table(
        "promise_wordings",
        Column("wording", TEXT, primary_key=True, autoincrement=False),
        *(_column(name, TEXT) for name in said + source),
        _column("at_ms", INT),
        _column("value_milli", INT),
        sqlite_with_rowid=False,
    )
    op.create_index("promise_wordings_by_promise", "promise_wordings", ["promise", "wording"])


def _column(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)
