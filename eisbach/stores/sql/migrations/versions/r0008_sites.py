"""Where nodes stand within a site, under whose law its operator is in the end, and where attempts were.

Revision ID: 0008
"""

import json

from alembic import op
from sqlalchemy import Boolean, Column, Text, false, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; what older logs do not say is what their events are read as."""
    op.add_column("sites", Column("parent_country", TEXT, nullable=False, server_default=""))
    op.execute("UPDATE sites SET parent_country = operator_country")
    for name in ("hall", "row", "rack"):
        op.add_column("nodes", Column(name, TEXT, nullable=False, server_default=""))
    for table in ("jobs", "attempts"):
        op.add_column(table, Column("site", TEXT, nullable=False, server_default=""))
        op.add_column(table, Column("simulated", Boolean(), nullable=False, server_default=false()))
    _find_sites_by_name()


def _find_sites_by_name() -> None:
    """Events about sites are found by the site; logs from before did not index them."""
    connection = op.get_bind()
    events = connection.execute(text("SELECT seq, data FROM events WHERE kind IN ('site.declared', 'site.changed')")).all()
    indexed = text("INSERT INTO subjects (subject, seq) VALUES (:subject, :seq) ON CONFLICT DO NOTHING")
    for seq, data in events:
        connection.execute(indexed, {"subject": json.loads(bytes(data))["body"]["site"], "seq": seq})
