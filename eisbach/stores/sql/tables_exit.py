"""Tables about exports and imports of organisations: rows of app/rows_exit.py."""

from sqlalchemy import Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

imports = Table(
    "imports",
    metadata,
    key_column("organisation"),
    text_column("origin"),
    text_column("key"),
    text_column("head"),
    text_column("manifest"),
    int_column("records"),
    text_column("site"),
    text_column("imported_by"),
    int_column("seq"),
    int_column("at_ms"),
    sqlite_with_rowid=False,
)
