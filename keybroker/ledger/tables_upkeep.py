"""Where do acts on the ledger itself stand? One table, with the others in ``tables.py``."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from keybroker.ledger.table_base import LEAF, metadata

upkeep = Table(
    "upkeep",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("act", String(32), nullable=False),
    Column("at", LEAF, nullable=False),
)
"""Where acts on the ledger itself stand (``ledger/upkeep_form.py``): whoever verifies looks at them ahead, for they
tell of records before them. ``at`` is in seconds.
"""
