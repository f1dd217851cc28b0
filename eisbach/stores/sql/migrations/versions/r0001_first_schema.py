"""The first schema: the log, what is kept beside it, and the rows that follow from it.

Revision ID: 0001
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, LargeBinary, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")
BLOB = LargeBinary()


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _column(name: str, kind: Any, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null)


def upgrade() -> None:
    """Make every table and the leader's row, with epoch 0."""
    _make_log()
    _make_inventory()
    _make_tenants()
    _make_jobs()
    _make_attempts()
    _make_transfers()
    op.execute("INSERT INTO leader (one, epoch) VALUES (1, 0)")


def _make_log() -> None:
    op.create_table(
        "events",
        _key("seq", INT),
        _column("at_ms", INT),
        _column("kind", TEXT),
        _column("version", INT),
        _column("data", BLOB),
        _column("leaf", BLOB),
    )
    op.create_table(
        "subjects",
        _key("subject", TEXT),
        _key("seq", INT),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "texts",
        _key("id", TEXT),
        _column("salt", BLOB),
        _column("content", BLOB),
    )
    op.create_table(
        "replies",
        _key("scope", TEXT),
        _key("key", TEXT),
        _column("body_digest", TEXT),
        _column("at_ms", INT),
        _column("status", INT),
        _column("content", BLOB),
    )
    op.create_table(
        "tree_nodes",
        _key("level", INT),
        _key("idx", INT),
        _column("digest", BLOB),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heads",
        _key("size", INT),
        _column("note", TEXT),
    )
    op.create_table(
        "snapshots",
        _key("seq", INT),
        _column("state", BLOB),
    )
    op.create_table(
        "leader",
        _key("one", INT),
        _column("epoch", INT),
        CheckConstraint("one = 1", name="one_leader"),
    )


def _make_inventory() -> None:
    op.create_table(
        "sites",
        _key("site", TEXT),
        _column("country", TEXT),
        _column("operator", TEXT),
        _column("operator_country", TEXT),
        _column("simulated", Boolean()),
    )
    op.create_table(
        "nodes",
        _key("node", TEXT),
        _column("pool", TEXT),
        _column("site", TEXT),
        _column("flavour", TEXT),
        _column("cpu_milli", INT),
        _column("memory_mib", INT),
        _column("gpus", INT),
        _column("drained", Boolean()),
        _column("removed", Boolean()),
    )
    op.create_table(
        "tariffs",
        _key("version", TEXT),
        _column("label", TEXT),
        _column("valid_from_ms", INT),
        _column("seq", INT),
    )


def _make_tenants() -> None:
    op.create_table(
        "organisations",
        _key("organisation", TEXT),
        _column("parent", TEXT, null=True),
        _column("name", TEXT),
        _column("segment", TEXT),
        _column("created_ms", INT),
    )
    op.create_table(
        "projects",
        _key("project", TEXT),
        _column("organisation", TEXT),
        _column("name", TEXT),
        _column("budget", INT),
        _column("created_ms", INT),
    )
    op.create_index("projects_by_organisation", "projects", ["organisation", "project"])
    op.create_table(
        "tokens",
        _key("token", TEXT),
        _column("role", TEXT),
        _column("organisation", TEXT, null=True),
        _column("project", TEXT, null=True),
        _column("digest", TEXT),
        _column("label", TEXT),
        _column("created_ms", INT),
        _column("expires_ms", INT),
        _column("revoked_ms", INT, null=True),
    )
    op.create_index("tokens_by_digest", "tokens", ["digest"])
    op.create_table(
        "archives",
        _key("archive", TEXT),
        _column("project", TEXT),
        _column("digest", TEXT),
        _column("size", INT),
        _column("created_ms", INT),
    )
    op.create_index("archives_by_project", "archives", ["project", "archive"])


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        _key("job", TEXT),
        _column("project", TEXT),
        _column("name", TEXT),
        _column("state", TEXT),
        _column("outcome", TEXT),
        _column("reason", TEXT),
        _column("capacity_class", TEXT),
        _column("nodes", INT),
        _column("tariff", TEXT),
        _column("limit_ms", INT),
        _column("cap", INT),
        _column("charged", INT),
        _column("charged_ms", INT),
        _column("attempts", INT),
        _column("submitted_by", TEXT),
        _column("submitted_ms", INT),
        _column("started_ms", INT, null=True),
        _column("running_ms", INT, null=True),
        _column("ended_ms", INT, null=True),
        _column("exit_code", INT, null=True),
        _column("last_attempt", TEXT, null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("jobs_by_project", "jobs", ["project", "job"])
    op.create_index("jobs_by_name", "jobs", ["project", "name", "job"])
    op.create_index("jobs_by_state", "jobs", ["state", "job"])


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        _key("attempt", TEXT),
        _column("job", TEXT),
        _column("number", INT),
        _column("state", TEXT),
        _column("nodes", TEXT),
        _column("planned_ms", INT),
        _column("running_ms", INT, null=True),
        _column("ended_ms", INT, null=True),
        _column("held_ms", INT),
        _column("charged_ms", INT),
        _column("charged", INT),
        _column("ending", TEXT),
        _column("outcome", TEXT),
        _column("fault", TEXT),
        _column("reason", TEXT),
        _column("exit_code", INT, null=True),
        _column("rank", INT, null=True),
        _column("cpu_ms", INT),
        _column("memory_peak_mib", INT),
        _column("memory_is_polled", Boolean()),
        _column("log_bytes", INT),
        _column("detail", TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_by_job", "attempts", ["job", "attempt"])


def _make_transfers() -> None:
    op.create_table(
        "transfers",
        _key("transfer", TEXT),
        _column("seq", INT),
        _column("at_ms", INT),
        _column("debit", TEXT),
        _column("credit", TEXT),
        _column("amount", INT),
        _column("kind", TEXT),
        _column("job", TEXT, null=True),
        _column("attempt", TEXT, null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("transfers_by_job", "transfers", ["job", "transfer"])
    op.create_index("transfers_by_debit", "transfers", ["debit", "transfer"])
    op.create_index("transfers_by_credit", "transfers", ["credit", "transfer"])
