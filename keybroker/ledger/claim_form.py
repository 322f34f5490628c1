"""How is what was taken written down? Its name in the table, and the numbers among the values. Pure."""

from __future__ import annotations

NUMBER_OCTETS = 20
"""CRLNumber and serial numbers have at most so many (RFC 5280 sections 4.1.2.2, 5.2.3)."""

ON_SUCCESS_OCTETS = 2 * NUMBER_OCTETS
"""What is held of a number that counts on success alone: itself, and the least that may follow where its use fails."""


def row_name(scope: str, name: bytes) -> bytes:
    """The primary key of what is taken: no scope holds 0x00, so no two scopes share a name."""
    return scope.encode() + b"\x00" + name
