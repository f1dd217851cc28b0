"""Tables about public promises: rows of app/rows_promises.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import flag_column, int_column, key_column, metadata, text_column

promises = Table(
    "promises",
    metadata,
    key_column("promise"),
    text_column("metric"),
    flag_column("dropped"),
    int_column("recorded_ms"),
    int_column("restated_ms", null=True),
    sqlite_with_rowid=False,
)
promise_wordings = Table(
    "promise_wordings",
    metadata,
    key_column("wording"),
    text_column("promise"),
    int_column("at_ms"),
    text_column("cause"),
    text_column("metric"),
    text_column("title"),
    text_column("title_de"),
    text_column("counted_from"),
    text_column("due"),
    text_column("quote"),
    text_column("language"),
    text_column("date"),
    text_column("speaker"),
    text_column("source"),
    text_column("url"),
    text_column("evidence"),
    text_column("comparison"),
    int_column("value_milli"),
    text_column("unit"),
    Index("promise_wordings_by_promise", "promise", "wording"),
    sqlite_with_rowid=False,
)
