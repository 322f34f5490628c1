"""Anomaly Detection Thresholds: what is counted, what is quarantined, and which notifications were checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0005"
down_revision = "v0004"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "anomaly_count",
        sa.Column("name", sa.LargeBinary, primary_key=True),
        sa.Column("buckets", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(512), nullable=False),
        sa.Column("user_id", sa.String(23), nullable=False),
        sa.Column("key", sa.String(63), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("octets", sa.LargeBinary),
        sa.Column("counts", sa.String(4096), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
    held = sa.text("state IN ('quarantined', 'released')")
    op.create_index("quarantine_held", "quarantine", ["sha256"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "threshold_check",
        sa.Column("part", sa.String(63), primary_key=True),
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("attester", sa.String(128), nullable=False),
        sa.Column("sequence", _leaf, nullable=False),
        sa.Column("leaf_index", _leaf, nullable=False),
    )
