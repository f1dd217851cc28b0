"""Tables about agreements, quotas and fair shares.

Revision ID: 0012
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "share_settings",
        Column("setting", TEXT, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, nullable=False) for name in ("what", "owner", "scope")),
        *(Column(name, INT, nullable=True) for name in ("amount", "price_permille")),
        Column("set_by", TEXT, nullable=False),
        *(Column(name, INT, nullable=False) for name in ("at_ms", "seq")),
    )
    op.create_index("share_settings_by_owner", "share_settings", ["owner", "setting"])
    op.create_table(
        "defragmentations",
        Column("defragmentation", TEXT, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, nullable=False) for name in ("job", "moved")),
        *(Column(name, INT, nullable=False) for name in ("moves", "lost_gpu_milli_ms", "gain_gpu_milli_ms", "gain_micro_eur")),
        *(Column(name, INT, nullable=False) for name in ("at_ms", "seq")),
    )
