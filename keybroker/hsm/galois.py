"""AES-128 in Galois/Counter Mode under one key: inside the module, or (``digest-key`` alone) on the host.

SP 800-38D. GMAC is this with nothing to encipher. A wrong tag is ``TagWrong`` whichever way it was found.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import GCM

from keybroker.hsm.connection import Session
from keybroker.hsm.return_values import CallFailed

_TAG_WRONG = frozenset(
    {
        "CKR_AEAD_DECRYPT_FAILED",
        "CKR_ENCRYPTED_DATA_INVALID",
        "CKR_ENCRYPTED_DATA_LEN_RANGE",
        "CKR_SIGNATURE_INVALID",
    }
)
"""What C_Decrypt answers to a wrong tag (PKCS#11 v3.0 §5.11). Where a device answers otherwise, its profile says so."""


class TagWrong(Exception):
    """What was opened is not what was sealed. Never leaves ``hsm``."""


class Galois(Protocol):
    """One AES-128 key. ``sealed`` is ciphertext || tag; tags have 12 or 16 octets, initialisation vectors 12."""

    def seal(self, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes: ...

    def open(self, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        """Raises: TagWrong."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleGalois:
    """``key`` is a handle. ``also_tag_wrong``: return values by which this device says it too (its profile)."""

    session: Session
    key: int
    also_tag_wrong: frozenset[str]

    def seal(self, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        return self.session.seal(self.key, iv, authenticated, plaintext, tag_octets)

    def open(self, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        try:
            return self.session.open(self.key, iv, authenticated, sealed, tag_octets)
        except CallFailed as failure:
            if failure.call != "C_Decrypt":
                raise
            if failure.value.name in self.also_tag_wrong:
                # The same answer may mean that the module went away: one that still seals has judged the tag.
                self.session.seal(self.key, iv, authenticated, b"", tag_octets)
            elif failure.value.name not in _TAG_WRONG:
                raise
            raise TagWrong from failure


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGalois:
    """``key`` has 16 octets and stands in host memory: for test deployments. Python cannot erase it."""

    key: bytes = field(repr=False)

    def seal(self, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        sealed = AESGCM(self.key).encrypt(iv, plaintext, authenticated)
        return sealed[: len(plaintext) + tag_octets]

    def open(self, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        ciphertext, tag = sealed[:-tag_octets], sealed[-tag_octets:]
        decryptor = Cipher(AES128(self.key), GCM(iv, tag, min_tag_length=tag_octets)).decryptor()
        decryptor.authenticate_additional_data(authenticated)
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except InvalidTag as error:
            raise TagWrong from error


def is_same(one: bytes, other: bytes) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(one, other)
