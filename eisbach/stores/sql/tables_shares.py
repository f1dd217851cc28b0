"""Tables about agreements, quotas and fair shares: rows of app/rows_shares.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

share_settings = Table(
    "share_settings",
    metadata,
    key_column("setting"),
    text_column("what"),
    text_column("owner"),
    text_column("scope"),
    int_column("amount", null=True),
    int_column("price_permille", null=True),
    text_column("set_by"),
    int_column("at_ms"),
    int_column("seq"),
    Index("share_settings_by_owner", "owner", "setting"),
)
defragmentations = Table(
    "defragmentations",
    metadata,
    key_column("defragmentation"),
    text_column("job"),
    text_column("moved"),
    int_column("moves"),
    int_column("lost_gpu_milli_ms"),
    int_column("gain_gpu_milli_ms"),
    int_column("gain_micro_eur"),
    int_column("at_ms"),
    int_column("seq"),
)
