"""Which trust anchor cells has a Device, and what does a CS02b Command put in them? Handbook 3.1, 3.5."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from keybroker.terms import KeyUsage, RemotePartyRole


class CellUsage(IntEnum):
    """Which of two Key Agreement cells a Supplier has."""

    MANAGEMENT = 0
    PREPAYMENT_TOP_UP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchorCell:
    """Where on the Device a certificate is put."""

    role: RemotePartyRole
    key_usage: KeyUsage
    cell_usage: CellUsage

    def __str__(self) -> str:
        further = "" if self.cell_usage is CellUsage.MANAGEMENT else " prePaymentTopUp"
        return f"{self.role.name} {self.key_usage}{further}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """``certificate`` is DER, not read here."""

    certificate: bytes
    cell: TrustAnchorCell


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCredentials:
    """In the order of the message."""

    mode: int
    replacements: tuple[Replacement, ...]
    certification_path: tuple[bytes, ...]
