"""What uses have taken (serial numbers, RequestIDs, counters), and the revocation lists that the broker relies on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "taken",
        sa.Column("name", sa.LargeBinary, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("intent_index", _leaf, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "revocation_list",
        sa.Column("issuer", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.LargeBinary, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
