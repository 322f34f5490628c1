"""The typed contents. Only ``keybroker.content`` makes them, and only from whole, strict, canonical octets.

Sources: GBCS grouping header (handbook 1.2-1.6); C2SP tlog-checkpoint for the audit checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keybroker.terms import ContentKind, EntityIdentifier, RemotePartyRole


class PayloadFamily(StrEnum):
    """The families of GBCS payload (handbook 1.4)."""

    DLMS = "DLMS"
    GBZ = "GBZ"
    ASN1 = "ASN.1"


class Criticality(StrEnum):
    """Whether a Message Code is signed. ``unknown`` (blank in the sources) is not signable."""

    CRITICAL = "critical"
    NON_CRITICAL = "non-critical"
    VARIANT = "variant"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCode:
    """One row of the shipped table: a GBCS Message Code and what is known of it."""

    value: int
    use_case: str
    name: str
    criticality: Criticality
    is_command: bool
    signers: frozenset[RemotePartyRole]
    payload: frozenset[PayloadFamily]
    service_reference_variants: tuple[str, ...]

    def __str__(self) -> str:
        return f"0x{self.value:04X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GbcsCommand:
    """A GBCS Command or Pre-Command without its signature.

    ``octets`` are exactly what was received; ``message`` is the same without a null signature octet
    (``octets`` or ``octets[:-1]``); ``to_be_signed`` is ``message[1:]``, the input of SHA-256 (handbook 1.5).
    ``supplementary_party``/``supplementary_counter`` are present only for the Access Control Broker acting
    for an Unknown Remote Party (18 octets of other-information).
    """

    kind: ContentKind
    octets: bytes
    message: bytes
    sha256: bytes
    originator_counter: int
    originator: EntityIdentifier
    recipient: EntityIdentifier
    message_code: MessageCode
    message_code_offset: int
    supplementary_party: EntityIdentifier | None
    supplementary_counter: int | None
    payload_family: PayloadFamily
    content_offset: int
    null_signature: bool

    @property
    def to_be_signed(self) -> bytes:
        return self.message[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckpoint:
    """The head of this ledger's tree: origin line, tree size, root hash (C2SP tlog-checkpoint, without signatures).

    ``sha256`` is over ``octets``.
    """

    kind: ContentKind
    octets: bytes
    sha256: bytes
    origin: str
    tree_size: int
    root_hash: bytes


Content = GbcsCommand | AuditCheckpoint
