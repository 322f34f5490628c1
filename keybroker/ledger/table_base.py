"""What do all the ledger's tables share? Where they are listed, and the type of a leaf index."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

LEAF = BigInteger().with_variant(Integer(), "sqlite")
"""A leaf index. SQLite's Integer has 64 bits, and as a primary key costs no second B-tree."""
