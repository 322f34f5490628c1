"""Uses for the tests of modules, and what the host makes of them: by code that shares nothing with the module's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keybroker.content.use import Agreement
from keybroker.hsm.attributes import KeyAttribute
from tests.situations import a_point, a_private_key

ORIGINATOR = bytes.fromhex("90b3d51f30010000")
DEVICE = bytes.fromhex("00db1234567890a0")
IV = ORIGINATOR + bytes(4)
DEVICE_SCALAR = 5

DERIVING = {
    KeyAttribute.PRIVATE: True,
    KeyAttribute.SENSITIVE: True,
    KeyAttribute.EXTRACTABLE: False,
    KeyAttribute.SIGN: False,
    KeyAttribute.DERIVE: True,
}
"""A throw-away Key Agreement key."""


def other_information(
    mode: int = 1, counter: int = 1 << 32, *, originator: bytes = ORIGINATOR, recipient: bytes = DEVICE
) -> bytes:
    """33 octets (handbook 1.8)."""
    return bytes.fromhex("60857406080300") + originator + bytes([9, mode]) + counter.to_bytes(8, "big") + recipient


def an_agreement(scalar: int = DEVICE_SCALAR, counter: int = 1 << 32, *, recipient: bytes = DEVICE) -> Agreement:
    """With the Device whose private key is ``scalar``."""
    return Agreement(peer=a_point(scalar), other_information=other_information(counter=counter, recipient=recipient))


@dataclass(frozen=True, slots=True)
class Device:
    """The other side of an agreement: it holds the private key of ``scalar`` and computes as GBCS has it."""

    broker_point: bytes
    scalar: int = DEVICE_SCALAR

    def aes_gcm(self, information: bytes) -> AESGCM:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.broker_point)
        z = a_private_key(self.scalar).exchange(ec.ECDH(), peer)
        return AESGCM(hashlib.sha256(b"\x00\x00\x00\x01" + z + information).digest()[:16])

    def mac(self, agreement: Agreement, authenticated: bytes, octets: int = 12, iv: bytes = IV) -> bytes:
        return self.aes_gcm(agreement.other_information).encrypt(iv, b"", authenticated)[:octets]

    def enciphered(self, agreement: Agreement, plaintext: bytes, authenticated: bytes = b"\x31") -> tuple[bytes, bytes]:
        """Ciphertext and tag of 12 octets."""
        sealed = self.aes_gcm(agreement.other_information).encrypt(IV, plaintext, authenticated)
        return sealed[: len(plaintext)], sealed[len(plaintext) :][:12]
