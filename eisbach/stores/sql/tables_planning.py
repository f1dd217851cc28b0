"""Tables about promised starts and the scheduler's policy: rows of app/rows_planning.py."""

from sqlalchemy import Table

from eisbach.stores.sql.columns import int_column, key_column, metadata, text_column

start_promises = Table(
    "start_promises",
    metadata,
    key_column("promise"),
    text_column("job"),
    int_column("from_ms"),
    int_column("until_ms", null=True),
    int_column("nodes"),
    text_column("broken_by"),
    int_column("at_ms"),
)
scheduler_policies = Table(
    "scheduler_policies",
    metadata,
    key_column("setting"),
    text_column("policy"),
    text_column("ordered_by"),
    text_column("backfill"),
    int_column("promises_max"),
    int_column("promised_nodes"),
    int_column("again_ms"),
    int_column("runtime_weight_permille"),
    int_column("notice_ms"),
    int_column("minimum_run_ms"),
    int_column("half_life_hours"),
    text_column("set_by"),
    int_column("at_ms"),
)
