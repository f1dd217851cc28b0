"""The tables of the SQL store: one schema for SQLite and PostgreSQL.

No column counts by itself and no row refers to another by a database key: ids are ours, and every row but texts,
replies, heads, snapshots and the leader follows from the log. Texts sort by their bytes on both databases.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.types import TypeEngine

from eisbach.app.projections import PRIMARY_KEYS

metadata = MetaData()

TEXT: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
INT: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's INTEGER has 64 bits
BLOB: TypeEngine[bytes] = LargeBinary().with_variant(BYTEA(), "postgresql")
FLAG = Boolean()


def _key(name: str, of: TypeEngine[Any] = TEXT) -> Column[Any]:
    return Column(name, of, primary_key=True, autoincrement=False)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=null)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, INT, nullable=null)


def _blob(name: str) -> Column[bytes]:
    return Column(name, BLOB, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, FLAG, nullable=False)


events = Table(
    "events",
    metadata,
    _key("seq", INT),
    _int("at_ms"),
    _text("kind"),
    _int("version"),
    _blob("data"),
    _blob("leaf"),
)
subjects = Table("subjects", metadata, _key("subject"), _key("seq", INT), sqlite_with_rowid=False)
texts = Table("texts", metadata, _key("id"), _blob("salt"), _blob("content"))
replies = Table(
    "replies",
    metadata,
    _key("scope"),
    _key("key"),
    _text("body_digest"),
    _int("at_ms"),
    _int("status"),
    _blob("content"),
)
tree_nodes = Table(
    "tree_nodes", metadata, _key("level", INT), _key("idx", INT), _blob("digest"), sqlite_with_rowid=False
)
heads = Table("heads", metadata, _key("size", INT), _text("note"))
snapshots = Table("snapshots", metadata, _key("seq", INT), _blob("state"))
leader = Table("leader", metadata, _key("one", INT), _int("epoch"), CheckConstraint("one = 1", name="one_leader"))

sites = Table(
    "sites",
    metadata,
    _key("site"),
    _text("country"),
    _text("operator"),
    _text("operator_country"),
    _flag("simulated"),
)
nodes = Table(
    "nodes",
    metadata,
    _key("node"),
    _text("pool"),
    _text("site"),
    _text("flavour"),
    _int("cpu_milli"),
    _int("memory_mib"),
    _int("gpus"),
    _flag("drained"),
    _flag("removed"),
)
tariffs = Table("tariffs", metadata, _key("version"), _text("label"), _int("valid_from_ms"), _int("seq"))
organisations = Table(
    "organisations",
    metadata,
    _key("organisation"),
    _text("parent", null=True),
    _text("name"),
    _text("segment"),
    _int("created_ms"),
)
projects = Table(
    "projects",
    metadata,
    _key("project"),
    _text("organisation"),
    _text("name"),
    _int("budget"),
    _int("created_ms"),
    Index("projects_by_organisation", "organisation", "project"),
)
tokens = Table(
    "tokens",
    metadata,
    _key("token"),
    _text("role"),
    _text("organisation", null=True),
    _text("project", null=True),
    _text("digest"),
    _text("label"),
    _int("created_ms"),
    _int("expires_ms"),
    _int("revoked_ms", null=True),
    Index("tokens_by_digest", "digest"),
)
archives = Table(
    "archives",
    metadata,
    _key("archive"),
    _text("project"),
    _text("digest"),
    _int("size"),
    _int("created_ms"),
    Index("archives_by_project", "project", "archive"),
)
jobs = Table(
    "jobs",
    metadata,
    _key("job"),
    _text("project"),
    _text("name"),
    _text("state"),
    _text("outcome"),
    _text("reason"),
    _text("capacity_class"),
    _int("nodes"),
    _text("tariff"),
    _int("limit_ms"),
    _int("cap"),
    _int("charged"),
    _int("charged_ms"),
    _int("attempts"),
    _text("submitted_by"),
    _int("submitted_ms"),
    _int("started_ms", null=True),
    _int("running_ms", null=True),
    _int("ended_ms", null=True),
    _int("exit_code", null=True),
    _text("last_attempt", null=True),
    Index("jobs_by_project", "project", "job"),
    Index("jobs_by_name", "project", "name", "job"),
    Index("jobs_by_state", "state", "job"),
    sqlite_with_rowid=False,
)
attempts = Table(
    "attempts",
    metadata,
    _key("attempt"),
    _text("job"),
    _int("number"),
    _text("state"),
    _text("nodes"),
    _int("planned_ms"),
    _int("running_ms", null=True),
    _int("ended_ms", null=True),
    _int("held_ms"),
    _int("charged_ms"),
    _int("charged"),
    _text("ending"),
    _text("outcome"),
    _text("fault"),
    _text("reason"),
    _int("exit_code", null=True),
    _int("rank", null=True),
    _int("cpu_ms"),
    _int("memory_peak_mib"),
    _flag("memory_is_polled"),
    _int("log_bytes"),
    _text("detail"),
    Index("attempts_by_job", "job", "attempt"),
    sqlite_with_rowid=False,
)
transfers = Table(
    "transfers",
    metadata,
    _key("transfer"),
    _int("seq"),
    _int("at_ms"),
    _text("debit"),
    _text("credit"),
    _int("amount"),
    _text("kind"),
    _text("job", null=True),
    _text("attempt", null=True),
    Index("transfers_by_job", "job", "transfer"),
    Index("transfers_by_debit", "debit", "transfer"),
    Index("transfers_by_credit", "credit", "transfer"),
    sqlite_with_rowid=False,
)

PROJECTIONS = {name: metadata.tables[name] for name in PRIMARY_KEYS}
"""The tables that faces read: rows that follow from the log."""
