"""Is what came back right? Checked on raw octets with `cryptography` and hashlib; nothing of the broker is used."""

from __future__ import annotations

import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


def is_signed_pre_command(octets: bytes, pre_command: bytes, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Pre-Command || 0x40 || r || s, with a signature over everything after the 0xDF tag (GBCS; handbook 1.5, 1.6)."""
    signature = octets[-64:]
    if octets != pre_command + b"\x40" + signature:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), pre_command[1:], ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def is_leaf(record: bytes, leaf_hash: bytes) -> bool:
    """RFC 9162 section 2.1.1: the leaf hash is SHA-256 over 0x00 and the record."""
    return hashlib.sha256(b"\0" + record).digest() == leaf_hash


def is_recorded(outcome: bytes, intent: bytes, signed: bytes) -> bool:
    """The outcome's record holds the signature, the intent's record the digest of what it stands over."""
    signature = json.loads(outcome)["signature"]
    digest = json.loads(intent)["digest"]
    return bool(signature == signed[-64:].hex() and digest == hashlib.sha256(signed[1:-65]).hexdigest())
