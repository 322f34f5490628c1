"""Ceremonies: their plans, the keys that they hold, and their steps with what was signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0007"
down_revision = "v0006"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ceremony",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("leaf_index", _leaf, nullable=False),
    )
    op.create_table(
        "ceremony_key",
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
    )
    op.create_table(
        "ceremony_step",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("begun_index", _leaf, nullable=False),
        sa.Column("entry", sa.Text),
        sa.Column("signatures", sa.Text),
        sa.Column("leaf_index", _leaf),
    )
