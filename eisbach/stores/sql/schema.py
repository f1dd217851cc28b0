"""The tables of the SQL store: one schema for SQLite and PostgreSQL.

No column counts by itself and no row refers to another by a database key: ids are ours, and every row but texts,
replies, heads, snapshots and the leader follows from the log. Texts sort by their bytes on both databases.
"""

from sqlalchemy import CheckConstraint, Index, Table

from eisbach.app.projections import PRIMARY_KEYS
from eisbach.stores.sql import (
    tables_billing as tables_billing,
)
from eisbach.stores.sql import (
    tables_booking as tables_booking,
)
from eisbach.stores.sql import (
    tables_data as tables_data,
)
from eisbach.stores.sql import (
    tables_energy as tables_energy,
)
from eisbach.stores.sql import (
    tables_exit as tables_exit,
)
from eisbach.stores.sql import (
    tables_health as tables_health,
)
from eisbach.stores.sql import (
    tables_planning as tables_planning,
)
from eisbach.stores.sql import (
    tables_policy as tables_policy,
)
from eisbach.stores.sql import (
    tables_promises as tables_promises,
)
from eisbach.stores.sql import (
    tables_shares as tables_shares,
)
from eisbach.stores.sql.columns import (
    INT,
    blob_column,
    flag_column,
    int_column,
    key_column,
    metadata,
    text_column,
)

events = Table(
    "events",
    metadata,
    key_column("seq", INT),
    int_column("at_ms"),
    text_column("kind"),
    int_column("version"),
    blob_column("data"),
    blob_column("leaf"),
)
subjects = Table("subjects", metadata, key_column("subject"), key_column("seq", INT), sqlite_with_rowid=False)
texts = Table("texts", metadata, key_column("id"), blob_column("salt"), blob_column("content"))
replies = Table(
    "replies",
    metadata,
    key_column("scope"),
    key_column("key"),
    text_column("body_digest"),
    int_column("at_ms"),
    int_column("status"),
    blob_column("content"),
)
tree_nodes = Table(
    "tree_nodes", metadata, key_column("level", INT), key_column("idx", INT), blob_column("digest"), sqlite_with_rowid=False
)
heads = Table("heads", metadata, key_column("size", INT), text_column("note"))
snapshots = Table("snapshots", metadata, key_column("seq", INT), blob_column("state"))
leader = Table("leader", metadata, key_column("one", INT), int_column("epoch"), CheckConstraint("one = 1", name="one_leader"))

sites = Table(
    "sites",
    metadata,
    key_column("site"),
    text_column("country"),
    text_column("operator"),
    text_column("operator_country"),
    text_column("parent_country"),
    flag_column("simulated"),
)
nodes = Table(
    "nodes",
    metadata,
    key_column("node"),
    text_column("pool"),
    text_column("site"),
    text_column("flavour"),
    int_column("cpu_milli"),
    int_column("memory_mib"),
    int_column("gpus"),
    text_column("hall"),
    text_column("row"),
    text_column("rack"),
    text_column("nvlink"),
    int_column("from_ms"),
    flag_column("drained"),
    flag_column("removed"),
)
tariffs = Table("tariffs", metadata, key_column("version"), text_column("label"), int_column("valid_from_ms"), int_column("seq"))
organisations = Table(
    "organisations",
    metadata,
    key_column("organisation"),
    text_column("parent", null=True),
    text_column("name"),
    text_column("segment"),
    int_column("created_ms"),
)
projects = Table(
    "projects",
    metadata,
    key_column("project"),
    text_column("organisation"),
    text_column("name"),
    int_column("budget"),
    int_column("created_ms"),
    Index("projects_by_organisation", "organisation", "project"),
)
tokens = Table(
    "tokens",
    metadata,
    key_column("token"),
    text_column("role"),
    text_column("organisation", null=True),
    text_column("project", null=True),
    text_column("digest"),
    text_column("label"),
    int_column("created_ms"),
    int_column("expires_ms"),
    int_column("revoked_ms", null=True),
    Index("tokens_by_digest", "digest"),
)
archives = Table(
    "archives",
    metadata,
    key_column("archive"),
    text_column("project"),
    text_column("digest"),
    int_column("size"),
    int_column("created_ms"),
    Index("archives_by_project", "project", "archive"),
)
jobs = Table(
    "jobs",
    metadata,
    key_column("job"),
    text_column("project"),
    text_column("name"),
    text_column("state"),
    text_column("outcome"),
    text_column("reason"),
    text_column("capacity_class"),
    int_column("nodes"),
    text_column("tariff"),
    int_column("limit_ms"),
    int_column("cap"),
    int_column("charged"),
    int_column("charged_ms"),
    int_column("attempts"),
    text_column("submitted_by"),
    int_column("submitted_ms"),
    int_column("started_ms", null=True),
    int_column("running_ms", null=True),
    int_column("ended_ms", null=True),
    int_column("exit_code", null=True),
    text_column("last_attempt", null=True),
    text_column("site"),
    flag_column("simulated"),
    text_column("booking"),
    int_column("signal_ms", null=True),
    Index("jobs_by_project", "project", "job"),
    Index("jobs_by_name", "project", "name", "job"),
    Index("jobs_by_state", "state", "job"),
    sqlite_with_rowid=False,
)
attempts = Table(
    "attempts",
    metadata,
    key_column("attempt"),
    text_column("job"),
    int_column("number"),
    text_column("state"),
    text_column("nodes"),
    int_column("planned_ms"),
    int_column("running_ms", null=True),
    int_column("ended_ms", null=True),
    int_column("held_ms"),
    int_column("charged_ms"),
    int_column("charged"),
    text_column("ending"),
    text_column("outcome"),
    text_column("fault"),
    text_column("reason"),
    int_column("exit_code", null=True),
    int_column("rank", null=True),
    int_column("cpu_ms"),
    int_column("memory_peak_mib"),
    flag_column("memory_is_polled"),
    int_column("log_bytes"),
    text_column("detail"),
    text_column("site"),
    flag_column("simulated"),
    int_column("saved_ms"),
    Index("attempts_by_job", "job", "attempt"),
    sqlite_with_rowid=False,
)
transfers = Table(
    "transfers",
    metadata,
    key_column("transfer"),
    int_column("seq"),
    int_column("at_ms"),
    text_column("debit"),
    text_column("credit"),
    int_column("amount"),
    text_column("kind"),
    text_column("job", null=True),
    text_column("attempt", null=True),
    text_column("booking", null=True),
    Index("transfers_by_job", "job", "transfer"),
    Index("transfers_by_debit", "debit", "transfer"),
    Index("transfers_by_credit", "credit", "transfer"),
    sqlite_with_rowid=False,
)

PROJECTIONS = {name: metadata.tables[name] for name in PRIMARY_KEYS}
"""The tables that faces read: rows that follow from the log."""
