"""Keys that were made for one TLS session each, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "session_key",
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("parent", sa.String(63), nullable=False),
        sa.Column("device", sa.LargeBinary, nullable=False),
        sa.Column("handshake", _leaf, nullable=False, unique=True),
        sa.Column("made_at", _leaf, nullable=False),
        sa.Column("until", _leaf, nullable=False),
        sa.Column("request", sa.String(256), nullable=False, unique=True),
        sa.Column("caller", sa.String(512), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("broker", sa.String(32), nullable=False),
        sa.Column("worker", sa.String(96), nullable=False),
        sa.Column("made_index", _leaf),
        sa.Column("destroyed_index", _leaf),
    )
    held = sa.text("destroyed_index IS NULL")
    op.create_index("session_key_held", "session_key", ["label"], sqlite_where=held, postgresql_where=held)
