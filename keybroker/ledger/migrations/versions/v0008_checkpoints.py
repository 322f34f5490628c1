"""Checkpoints that the broker signed of its own ledger, and what witnesses cosigned of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0008"
down_revision = "v0007"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("intent_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("tree_size", _leaf, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("at", _leaf, nullable=False),
        sa.Index("checkpoint_size", "tree_size"),
    )
    op.create_table(
        "cosignature",
        sa.Column("tree_size", _leaf, primary_key=True, autoincrement=False),
        sa.Column("witness", sa.String(255), primary_key=True),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
