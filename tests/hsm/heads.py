"""Heads of a ledger for the tests of anchors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keybroker.ledger.model import Head

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def a_head(size: int, *, origin: str = "keybroker.example/tests/TEST", root: bytes = bytes(32)) -> Head:
    """The head at a size; ``root`` 32 octets."""
    return Head(origin=origin, tree_size=size, root_hash=root, at=NOW + timedelta(seconds=size))
