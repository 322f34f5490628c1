"""What exactly is the module asked to do with a key? One frozen type for each kind of use, made from Content alone.

A digest to be signed, a MAC to be made or checked, data to be deciphered, an instruction to be protected. GBCS key
agreement: handbook 1.7-1.10; DLMS/COSEM security suite 0: IEC 62056-5-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UseKind(StrEnum):
    """As records name it; a record without it is of a signature."""

    SIGNATURE = "signature"
    MAC = "mac"
    MAC_CHECK = "mac-check"
    DECRYPTION = "decryption"
    PROTECTION = "protection"
    OPENING = "opening"

    @property
    def result_is_kept(self) -> bool:
        """Is the result recorded, and given again for the same request? Plaintext is not: a record holds its length."""
        return self not in (UseKind.DECRYPTION, UseKind.OPENING, UseKind.MAC_CHECK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How the 16-octet key is agreed: ECDH with ``peer`` (uncompressed point, 65 octets), then the one-step KDF of SP
    800-56C with SHA-256 over ``other_information`` (33 octets, handbook 1.8), leftmost 16 octets.
    """

    peer: bytes
    other_information: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MacUse:
    """AES-128-GMAC under the agreed key; ``initialisation_vector`` has 12 octets, ``tag_octets`` is 12 or 16."""

    agreement: Agreement
    initialisation_vector: bytes
    authenticated: bytes
    tag_octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MacCheckUse:
    """As MacUse, to be compared with ``tag`` (12 octets)."""

    agreement: Agreement
    initialisation_vector: bytes
    authenticated: bytes
    tag: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Enciphered:
    """One encrypted data item: AES-128-GCM, ``tag`` of 12 octets over ``authenticated`` and the ciphertext."""

    authenticated: bytes
    ciphertext: bytes
    tag: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptionUse:
    """Every item under the one agreed key and initialisation vector, as GBCS has it (handbook 1.9)."""

    agreement: Agreement
    initialisation_vector: bytes
    items: tuple[Enciphered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionUse:
    """AES-128-GCM under the key itself. The module prefixes nothing: ``authenticated`` is the security control octet,
    to which the token's authentication key is appended where the key has one (IEC 62056-5-3).
    """

    initialisation_vector: bytes
    authenticated: bytes
    plaintext: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningUse:
    """The reverse of ProtectionUse."""

    initialisation_vector: bytes
    authenticated: bytes
    ciphertext: bytes
    tag: bytes


Use = MacUse | MacCheckUse | DecryptionUse | ProtectionUse | OpeningUse
"""Every use but a signature, whose digest stands in the Content."""
