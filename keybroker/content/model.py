"""The typed contents. Only ``keybroker.content`` makes them, and only from whole, strict, canonical octets.

Sources: GBCS grouping header (handbook 1.2-1.6); C2SP tlog-checkpoint for the audit checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from keybroker.content.duis.model import DuisDocument
from keybroker.content.trust_anchor_cells import UpdateCredentials
from keybroker.content.use import UseKind
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier, RemotePartyRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Accompanying:
    """One thing that came beside the octets; several of one kind stand in the order in which they came."""

    kind: AccompanyingKind
    octets: bytes


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

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

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
    accompanying: tuple[Accompanying, ...] = ()
    service_request: DuisDocument | None = None
    """What gave rise to it, where it came beside it (signed or not)."""
    credentials: UpdateCredentials | None = None
    """What a Command of the CoS Party (0x0106, 0x0107) puts into trust anchor cells."""

    @property
    def to_be_signed(self) -> bytes:
        return self.message[1:]

    @property
    def signer_certificates(self) -> tuple[bytes, ...]:
        """DER: the certificate behind the Service Request's signature, then its issuers."""
        return tuple(each.octets for each in self.accompanying if each.kind is AccompanyingKind.SIGNER_CERTIFICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckpoint:
    """The head of this ledger's tree: origin line, tree size, root hash (C2SP tlog-checkpoint, without signatures).

    ``sha256`` is over ``octets``.
    """

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    origin: str
    tree_size: int
    root_hash: bytes
    accompanying: tuple[Accompanying, ...] = ()
