"""Tables about placement rules: rows of app/rows_policy.py."""

from sqlalchemy import Index, Table

from eisbach.stores.sql.columns import flag_column, int_column, key_column, metadata, text_column

placement_rules = Table(
    "placement_rules",
    metadata,
    key_column("rule"),
    text_column("owner"),
    text_column("scope"),
    text_column("limits"),
    text_column("set_by"),
    int_column("at_ms"),
    int_column("seq"),
    Index("placement_rules_by_owner", "owner", "rule"),
)
placement_refusals = Table(
    "placement_refusals",
    metadata,
    key_column("refusal"),
    text_column("what"),
    text_column("project"),
    text_column("organisation"),
    text_column("asked"),
    text_column("findings"),
    int_column("policy_version"),
    text_column("refused_by"),
    int_column("at_ms"),
    int_column("seq"),
    Index("placement_refusals_by_project", "project", "refusal"),
)
violations = Table(
    "violations",
    metadata,
    key_column("violation"),
    text_column("what"),
    text_column("subject"),
    text_column("job"),
    text_column("project"),
    text_column("organisation"),
    text_column("site"),
    text_column("findings"),
    int_column("policy_version"),
    int_column("found_ms"),
    int_column("found_seq"),
    int_column("ended_ms", null=True),
    int_column("ended_seq", null=True),
    text_column("ended_how"),
    Index("violations_by_job", "job", "violation"),
    Index("violations_by_project", "project", "violation"),
)
targets = Table(
    "targets",
    metadata,
    key_column("target"),
    text_column("use"),
    text_column("site"),
    flag_column("is_cleared"),
    int_column("head_size"),
    int_column("policy_version"),
    text_column("told_by"),
    int_column("at_ms"),
    int_column("seq"),
)
