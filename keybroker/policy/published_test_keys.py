"""Is this one of the published test keys? A live deployment refuses them (SEC G5.13, G5.24)."""

from __future__ import annotations

import hashlib
from importlib.resources import files

# SubjectPublicKeyInfo of an uncompressed P-256 point up to the point itself (RFC 5480 section 2; RFC 5280 section 4.1).
SUBJECT_PUBLIC_KEY_INFO_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def read_digests(text: str) -> frozenset[bytes]:
    """Read one hexadecimal SHA-256 a line; empty lines and lines from ``#`` on are comment.

    Raises: ValueError when a line is not 64 hexadecimal digits.
    """
    lines = (line.strip() for line in text.splitlines())
    digests = [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]
    if any(len(digest) != 32 for digest in digests):
        raise ValueError("a SHA-256 has 64 hexadecimal digits")
    return frozenset(digests)


_PUBLISHED = read_digests(files("keybroker.policy").joinpath("published_test_keys.txt").read_text(encoding="ascii"))


def is_published_test_key(public_key: bytes) -> bool:
    """``public_key`` is the uncompressed point, 65 octets."""
    return hashlib.sha256(SUBJECT_PUBLIC_KEY_INFO_PREFIX + public_key).digest() in _PUBLISHED
