"""The first tables: records and their head, requests, octets, counters, keys, certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "record",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column("octets", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("deployment", sa.String(8), nullable=False),
        sa.Column("tree_size", _leaf, nullable=False),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("register_version", _leaf, nullable=False),
    )
    op.create_table(
        "request",
        sa.Column("intent_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        sa.Column("caller", sa.String(512), nullable=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("outcome_index", _leaf),
        sa.Column("worker", sa.String(96), nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("request_open", "request", ["worker"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "octets",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("octets", sa.LargeBinary, nullable=False),
        sa.Column("at", _leaf, nullable=False),
    )
    op.create_table(
        "counter_use",
        sa.Column("relation", sa.LargeBinary, primary_key=True),
        sa.Column("uses", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key",
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provenance", sa.String(32)),
        sa.Column("public_key", sa.LargeBinary, unique=True),
        sa.Column("eui", sa.LargeBinary),
        sa.Column("revoked_at", _leaf),
    )
    op.create_table(
        "certificate",
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "revoked_certificate",
        sa.Column("identity", sa.LargeBinary, primary_key=True),
        sa.Column("label", sa.String(63), nullable=False),
        sqlite_with_rowid=False,
    )
