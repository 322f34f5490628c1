"""How is one key enciphered under another? RFC 5649 (AES key wrap with padding), RFC 8017 §7.1 (RSA-OAEP)."""

from __future__ import annotations

from enum import StrEnum


class WrapMechanism(StrEnum):
    """OAEP has MGF1 of the same hash and no label."""

    AES_KEY_WRAP_PAD = "AES_KEY_WRAP_PAD"
    AES_KEY_WRAP_KWP = "AES_KEY_WRAP_KWP"
    RSA_OAEP_SHA1 = "RSA_OAEP_SHA1"
    RSA_OAEP_SHA256 = "RSA_OAEP_SHA256"
