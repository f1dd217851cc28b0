"""Tables about data sets and uploads: rows of app/rows_data.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

data_sets = Table(
    "data_sets",
    metadata,
    key_column("data_set"),
    text_column("project"),
    text_column("name"),
    text_column("stage"),
    text_column("data_class"),
    int_column("size"),
    text_column("sha256"),
    text_column("manifest"),
    int_column("chunks"),
    text_column("places"),
    text_column("copying"),
    text_column("countries"),
    int_column("keep_ms", null=True),
    int_column("keep_until_ms", null=True),
    int_column("expires_ms"),
    text_column("announced_by"),
    int_column("announced_ms"),
    int_column("created_ms", null=True),
    int_column("deleting_ms", null=True),
    int_column("gone_ms", null=True),
    Index("data_sets_by_project", "project", "stage", "data_set"),
)
