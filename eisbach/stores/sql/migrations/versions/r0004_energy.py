"""Tables about energy, water and heat.

Revision ID: 0004
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
INT = BigInteger().with_variant(Integer(), "sqlite")


def _column(name: str, kind: Any, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null)


def _numbers(*names: str, null: bool = False) -> list[Column[Any]]:
    return [_column(name, INT, null) for name in names]


def upgrade() -> None:
    """Make the tables."""
    _make_site_energy()
    op.create_table(
        "job_energy",
        Column("part", TEXT, primary_key=True),
        *(_column(name, TEXT) for name in ("job", "project", "site", "period")),
        *_numbers("from_ms", "to_ms"),
        _column("label", TEXT),
        *_numbers("own_mj", "idle_mj", "overhead_mj"),
        *_numbers("carbon_location_mg", "carbon_market_mg", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("job_energy_by_job", "job_energy", ["job"])
    op.create_index("job_energy_by_project", "job_energy", ["project", "period", "job"])
    op.create_index("job_energy_by_site", "job_energy", ["site", "period"])
    op.create_table(
        "power_caps",
        Column("cap", TEXT, primary_key=True),
        *_numbers("at_ms"),
        *(_column(name, TEXT) for name in ("site", "source", "cause")),
        *_numbers("racks_mw", null=True),
        _column("by", TEXT),
        *_numbers("until_ms"),
        sqlite_with_rowid=False,
    )
    op.create_index("power_caps_by_site", "power_caps", ["site", "cap"])


def _make_site_energy() -> None:
    op.create_table(
        "site_energy",
        Column("interval", TEXT, primary_key=True),
        *_numbers("hour_ms"),
        _column("site", TEXT),
        _column("period", TEXT),
        *_numbers("from_ms", "to_ms"),
        _column("label", TEXT),
        *_numbers("it_mj", "measured_mj", "losses_mj", "cooling_mj"),
        _column("has_plant", Boolean()),
        *_numbers("operator_idle_mj", "operator_overhead_mj"),
        *_numbers("carbon_location_mg", "carbon_market_mg", "renewable_mj", "water_ml", "air_mc", null=True),
        _column("is_gap", Boolean()),
        *_numbers("flow_litres_s", "stream_above_mc", "stream_rise_mk", "permit_mc", "permit_rise_mk", null=True),
        *_numbers("heat_offered_mj", "heat_demanded_mj", "heat_delivered_mj", null=True),
        *_numbers("seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("site_energy_by_hour", "site_energy", ["site", "hour_ms"])
