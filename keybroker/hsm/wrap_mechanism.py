"""How is one key enciphered under another? PKCS#11 v3.0 §2.1.21 (RSA-OAEP), §2.14 (AES key wrap)."""

from __future__ import annotations

from enum import StrEnum


class WrapMechanism(StrEnum):
    """How one key is enciphered under another; OAEP with MGF1 of the same hash and no label (RFC 8017 §7.1)."""

    AES_KEY_WRAP_PAD = "AES_KEY_WRAP_PAD"
    AES_KEY_WRAP_KWP = "AES_KEY_WRAP_KWP"
    RSA_OAEP_SHA1 = "RSA_OAEP_SHA1"
    RSA_OAEP_SHA256 = "RSA_OAEP_SHA256"
