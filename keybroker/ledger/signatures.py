"""Does a recorded signature verify, under the public key and over the digest that its intent recorded? Pure.

Nothing of the module, the register or the line is asked: what stands in two records must be enough in ten years.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_ECDSA_PREHASHED = ec.ECDSA(Prehashed(SHA256()))


def is_signature(value: object) -> bool:
    """Is this r || s as records write it: 128 digits of lower-case hexadecimal?"""
    return isinstance(value, str) and len(value) == 128 and _octets(value) is not None


def verifies(signature: object, *, public_key: object, digest: object) -> bool:
    """ECDSA on P-256 over a SHA-256 digest; all three in lower-case hexadecimal, as records write them.

    What is not of that form verifies nothing: octets are r || s (64), an uncompressed point (65) and a digest (32).
    """
    octets, covered = _octets(signature), _octets(digest)
    key = _public_key(public_key) if isinstance(public_key, str) else None
    if octets is None or covered is None or key is None or (len(octets), len(covered)) != (64, 32):
        return False
    r, s = int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), covered, _ECDSA_PREHASHED)
    except InvalidSignature:
        return False
    return True


# Reading a point costs as much as a verification, and a ledger has few keys.
@lru_cache(maxsize=256)
def _public_key(written: str) -> ec.EllipticCurvePublicKey | None:
    point = _octets(written)
    if point is None or len(point) != 65:
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return None


def _octets(written: object) -> bytes | None:
    if not isinstance(written, str):
        return None
    try:
        octets = bytes.fromhex(written)
    except ValueError:
        return None
    return octets if octets.hex() == written else None
