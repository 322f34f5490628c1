"""Anomalous Events: how far the ledger was looked at, messages on their way; and reviews of the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0009"
down_revision = "v0008"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "anomaly_watch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("looked_to", _leaf, nullable=False),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", _leaf, nullable=False),
        sa.Column("delivered_at", _leaf),
        sa.Column("error", sa.String(256), nullable=False),
    )
    op.create_table(
        "ledger_review",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("up_to", _leaf, nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
