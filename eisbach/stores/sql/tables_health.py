"""Tables about the health of nodes, maintenance and drains: rows of app/rows_health.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

node_history = Table(
    "node_history",
    metadata,
    key_column("mark"),
    text_column("node"),
    int_column("at_ms"),
    text_column("what"),
    text_column("cause"),
    text_column("by"),
    text_column("note"),
    Index("node_history_by_node", "node", "mark"),
    sqlite_with_rowid=False,
)
closures = Table(
    "closures",
    metadata,
    key_column("closure"),
    text_column("kind"),
    text_column("targets"),
    text_column("nodes"),
    int_column("node_count"),
    int_column("from_ms"),
    int_column("until_ms"),
    text_column("state"),
    text_column("by"),
    int_column("announced_ms"),
    int_column("ended_ms", null=True),
    text_column("ended_by"),
    text_column("note"),
    sqlite_with_rowid=False,
)
