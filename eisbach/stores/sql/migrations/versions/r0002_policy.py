"""Tables about placement rules.

Revision ID: 0002
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str) -> Column[Any]:
    return Column(name, TEXT, primary_key=True, autoincrement=False)


def _column(name: str, kind: Any, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "placement_rules",
        _key("rule"),
        _column("owner", TEXT),
        _column("scope", TEXT),
        _column("limits", TEXT),
        _column("set_by", TEXT),
        _column("at_ms", INT),
        _column("seq", INT),
    )
    op.create_index("placement_rules_by_owner", "placement_rules", ["owner", "rule"])
    op.create_table(
        "placement_refusals",
        _key("refusal"),
        _column("what", TEXT),
        _column("project", TEXT),
        _column("organisation", TEXT),
        _column("asked", TEXT),
        _column("findings", TEXT),
        _column("policy_version", INT),
        _column("refused_by", TEXT),
        _column("at_ms", INT),
        _column("seq", INT),
    )
    op.create_index("placement_refusals_by_project", "placement_refusals", ["project", "refusal"])
    op.create_table(
        "violations",
        _key("violation"),
        _column("what", TEXT),
        _column("subject", TEXT),
        _column("job", TEXT),
        _column("project", TEXT),
        _column("organisation", TEXT),
        _column("site", TEXT),
        _column("findings", TEXT),
        _column("policy_version", INT),
        _column("found_ms", INT),
        _column("found_seq", INT),
        _column("ended_ms", INT, null=True),
        _column("ended_seq", INT, null=True),
        _column("ended_how", TEXT),
    )
    op.create_index("violations_by_job", "violations", ["job", "violation"])
    op.create_index("violations_by_project", "violations", ["project", "violation"])
    op.create_table(
        "targets",
        _key("target"),
        _column("use", TEXT),
        _column("site", TEXT),
        _column("is_cleared", Boolean()),
        _column("head_size", INT),
        _column("policy_version", INT),
        _column("told_by", TEXT),
        _column("at_ms", INT),
        _column("seq", INT),
    )
