"""Tables about quotes held, bookings and what becomes of them: rows of app/rows_booking.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import flag_column, int_column, key_column, metadata, text_column

bookings = Table(
    "bookings",
    metadata,
    key_column("booking"),
    text_column("project"),
    text_column("option"),
    text_column("state"),
    text_column("cause"),
    text_column("site"),
    flag_column("simulated"),
    text_column("flavour"),
    int_column("node_count"),
    text_column("nodes"),
    text_column("lost"),
    text_column("level"),
    text_column("domain"),
    int_column("from_ms"),
    int_column("until_ms"),
    int_column("price"),
    int_column("charged"),
    int_column("credited"),
    int_column("fee"),
    int_column("settled_ms"),
    text_column("tariff"),
    int_column("energy_wh"),
    int_column("carbon_g", null=True),
    text_column("made_by"),
    int_column("made_ms"),
    int_column("ended_ms", null=True),
    text_column("on_fault"),
    int_column("given_until_ms", null=True),
    int_column("relieved"),
    Index("bookings_by_project", "project", "booking"),
    sqlite_with_rowid=False,
)
