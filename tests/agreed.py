"""Who agrees a key with whom in tests: a Device, the parties that stand beside it, their chains, and what is trusted.

Certificates are those that a development deployment makes (handbook 3.2). ``gbcs_key`` and ``gmac`` compute what a
Device would, on the host, from handbook 1.7 and 1.8 alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.cli.dev import device_pki, pki
from keybroker.content.model import Accompanying
from keybroker.terms import AccompanyingKind, EntityIdentifier, KeyUsage, RemotePartyRole
from tests import messages

SINCE = datetime(2025, 1, 1, tzinfo=UTC)


@cache
def private_key(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())


DEVICE_KEY, ANOTHER_DEVICE_KEY, ORIGINATOR_KEY, PARTY_KEY = 21, 22, 23, 24
"""Scalars. Keys of ``tests.situations`` have 1."""

ANOTHER_DEVICE = EntityIdentifier.from_text("00-DB-12-34-AA-78-90-A1")


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@cache
def device_authority(number: int) -> pki.Authority:
    """One for each ``number``: 1 is trusted, others are not."""
    del number
    return device_pki.create_device_authority(not_before=SINCE)


@cache
def smki(number: int) -> tuple[x509.Certificate, pki.Smki]:
    """Root and Issuing OCA; as with Devices, number 1 is trusted."""
    del number
    return pki.create_smki(not_before=SINCE)


@cache
def device_certificate(
    eui: EntityIdentifier = messages.DEVICE,
    scalar: int = DEVICE_KEY,
    usage: KeyUsage = KeyUsage.KEY_AGREEMENT,
    *,
    authority: int = 1,
) -> bytes:
    """DER, directly under the Device root."""
    made = device_pki.device_certificate(
        device_authority(authority), private_key(scalar).public_key(), eui=eui, usage=usage, not_before=SINCE
    )
    return pki.certificate_der(made)


@cache
def organisation_chain(
    eui: EntityIdentifier = messages.SUPPLIER,
    scalar: int = ORIGINATOR_KEY,
    role: RemotePartyRole = RemotePartyRole.SUPPLIER,
    usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE,
    *,
    authority: int = 1,
    not_after: datetime | None = None,
) -> tuple[bytes, ...]:
    """DER: the party's certificate, then the Issuing OCA's."""
    _, issued_by = smki(authority)
    made = pki.organisation_certificate(
        issued_by,
        private_key(scalar).public_key(),
        role=role,
        eui=eui,
        common_name="TEST",
        not_before=SINCE,
        not_after=not_after,
        usage=usage,
    )
    return pki.certificate_der(made), pki.certificate_der(issued_by.issuing.certificate)


def sign(message: bytes, scalar: int = ORIGINATOR_KEY) -> bytes:
    """r || s over everything after 0xDF (handbook 1.5); deterministic, as RFC 6979 has it."""
    signer = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = decode_dss_signature(private_key(scalar).sign(message[1:], signer))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def beside(
    device: bytes | None = None, originator: tuple[bytes, ...] = (), *, without_device: bool = False
) -> tuple[Accompanying, ...]:
    """What accompanies a message: the Device's certificate (the good one), and the originator's chain."""
    found = [] if without_device else [(AccompanyingKind.DEVICE_CERTIFICATE, device or device_certificate())]
    found += [(AccompanyingKind.ORIGINATOR_CERTIFICATE, each) for each in originator]
    return tuple(Accompanying(kind=kind, octets=octets) for kind, octets in found)


OTHER_INFORMATION: Mapping[str, int] = {"command": 1, "response": 2, "alert": 3, "encryption": 4}


def gbcs_key(
    own: int, peer: int, *, mode: str, originator: EntityIdentifier, counter: int, recipient: EntityIdentifier
) -> bytes:
    """SHA-256(00000001 || Z || OtherInfo), its leftmost 16 octets (handbook 1.8)."""
    z = private_key(own).exchange(ec.ECDH(), private_key(peer).public_key())
    other = bytes.fromhex("60857406080300") + originator.octets + b"\x09" + bytes([OTHER_INFORMATION[mode]])
    other += counter.to_bytes(8, "big") + recipient.octets
    return hashlib.sha256(b"\0\0\0\1" + z + other).digest()[:16]


def gcm(key: bytes, originator: EntityIdentifier, plaintext: bytes, authenticated: bytes) -> tuple[bytes, bytes]:
    """Ciphertext and whole tag under the initialisation vector originator || 00000000."""
    sealed = AESGCM(key).encrypt(originator.octets + bytes(4), plaintext, authenticated)
    return sealed[:-16], sealed[-16:]


def gmac(key: bytes, originator: EntityIdentifier, inner: bytes) -> bytes:
    """12 octets over 11 00 00 00 00 00 || inner (handbook 1.7)."""
    return gcm(key, originator, b"", bytes.fromhex("110000000000") + inner)[1][:12]
