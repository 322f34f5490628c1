"""Attesters, the statements that are held of them, which were used, and which person acted on what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attester",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("kinds", sa.String(512), nullable=False),
        sa.Column("since", _leaf, nullable=False),
        sa.Column("until", _leaf, nullable=False),
        sa.Column("withdrawn_at", _leaf),
    )
    op.create_table(
        "statement",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("attester", sa.String(128), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("compact", sa.LargeBinary, nullable=False),
        sa.Column("withdrawn_index", _leaf),
    )
    op.create_table(
        "statement_used",
        sa.Column("identity", sa.String(256), primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("leaf_index", _leaf, nullable=False),
    )
    op.create_table(
        "person_act",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
    op.create_table(
        "restore",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("at", _leaf, nullable=False),
        sa.Column("lost", _leaf, nullable=False),
    )
