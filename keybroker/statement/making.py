"""How is a statement made? A model of its kind, signed: for check systems, people and tests.

The private key is the maker's own affair: whoever holds it in a token signs ``signing_input`` there and joins.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.statement.payloads import KINDS
from keybroker.statement.said import Said

Sign = Callable[[bytes], bytes]
"""Signing input to r || s, 64 octets (RFC 7518 section 3.4)."""


def kid_of(certificate: bytes) -> str:
    """How an attester is named in a header: SHA-256 of its certificate (DER), in hexadecimal."""
    return sha256(certificate).hexdigest()


def make_statement(said: Said, *, certificate: bytes, sign: Sign) -> str:
    """The compact JWS. ``certificate`` is the attester's, in DER; ``sign`` uses its private key."""
    header = {"alg": "ES256", "kid": kid_of(certificate), "typ": KINDS[type(said)].typ}
    payload = said.model_dump(mode="json", exclude_unset=True)
    signing_input = f"{_encoded(_json(header))}.{_encoded(_json(payload))}".encode("ascii")
    return f"{signing_input.decode('ascii')}.{_encoded(sign(signing_input))}"


def signer(private_key: ec.EllipticCurvePrivateKey) -> Sign:
    """For a key in memory."""

    def sign(octets: bytes) -> bytes:
        r, s = decode_dss_signature(private_key.sign(octets, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")


def _encoded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
