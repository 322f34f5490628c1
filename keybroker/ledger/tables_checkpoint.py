"""Where do checkpoints of the ledger and their cosignatures stand? Two tables, with the others in ``tables.py``."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table

from keybroker.ledger.table_base import LEAF, metadata

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("intent_index", LEAF, primary_key=True, autoincrement=False),
    Column("tree_size", LEAF, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", LEAF, nullable=False),
    Index("checkpoint_size", "tree_size"),
)
"""Checkpoints of this ledger that its own key signed (C2SP tlog-checkpoint), by the leaf index of the intent to sign.

``note`` is the signed note with that one signature; ``at`` (seconds) is the outcome's. Written with the outcome.
"""

cosignature = Table(
    "cosignature",
    metadata,
    Column("tree_size", LEAF, primary_key=True, autoincrement=False),
    Column("witness", String(255), primary_key=True),
    Column("line", LargeBinary, nullable=False),
    Column("at", LEAF, nullable=False),
)
"""What witnesses cosigned: the signature line under the checkpoint of that size, by the witness's key name. ``at``
(seconds) is when it came.
"""
