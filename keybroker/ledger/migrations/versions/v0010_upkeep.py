"""Where acts on the ledger itself stand: back-ups, and what was aged out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0010"
down_revision = "v0009"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "upkeep",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
