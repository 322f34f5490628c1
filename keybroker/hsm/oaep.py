"""What stands in a message that RSA gave back bare? EME-OAEP with SHA-256, taken off on the host. Pure.

For a person's token that can do RSA but not OAEP with SHA-256 (SoftHSM 2.6.1 knows SHA-1 alone): the token computes
with the private key, which stays there, and gives the padded message. The limit of that: the padded message stands in
host memory for a moment, and the time that Python takes to look at it is not constant. So every way of being wrong is
found by one comparison over all of it and told by one answer, and it is for a short-lived process at the token's owner
alone, never for a service that strangers can ask.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

_HASH = 32


def remove_oaep(padded: bytes, octets: int) -> bytes:
    """The message of ``octets`` octets in ``padded``, which is as long as the modulus (RFC 8017 §7.1.2); the label is
    empty.

    Raises: ValueError for everything else.
    """
    seed_masked, block_masked = padded[1 : 1 + _HASH], padded[1 + _HASH :]
    seed = _xor(seed_masked, _mask(block_masked, _HASH))
    block = _xor(block_masked, _mask(seed, len(block_masked)))
    message = block[len(block) - octets :]
    padding = bytes(len(block) - _HASH - 1 - octets)
    expected = b"\x00" + sha256(b"").digest() + padding + b"\x01" + message
    if not hmac.compare_digest(expected, padded[:1] + block):
        raise ValueError("not a message in OAEP of that length")
    return message


def _mask(seed: bytes, octets: int) -> bytes:
    """MGF1 with SHA-256 (RFC 8017 §B.2.1)."""
    blocks = range(-(-octets // _HASH))
    return b"".join(sha256(seed + number.to_bytes(4, "big")).digest() for number in blocks)[:octets]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
