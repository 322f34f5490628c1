"""A request proves that its key is held where it was signed: fresh, of that public key, and by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.ceremony.proof_of_possession import check_request
from keybroker.errors import ProtectionInvalid

KEY, OTHER = (ec.derive_private_key(scalar, ec.SECP256R1()) for scalar in (7, 8))
POINT = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def a_request(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


GOOD = a_request()
R, S = decode_dss_signature(x509.load_der_x509_csr(GOOD).signature)


def altered(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


def with_the_other_s(octets: bytes) -> bytes:
    """The same signature as anybody can write it too."""
    old = x509.load_der_x509_csr(octets).signature
    new = encode_dss_signature(R, _ORDER - S)
    if len(new) == len(old):
        return octets.replace(old, new)
    return octets


@pytest.mark.clause("G2.22I(b)", shows="refusal")
@pytest.mark.parametrize(
    ("given", "known", "why"),
    [
        (lambda: b"", frozenset(), "not a Certificate Signing Request"),
        (lambda: GOOD[:-1], frozenset(), "not a Certificate Signing Request"),
        (lambda: a_request(OTHER), frozenset(), "another public key"),
        (lambda: altered(GOOD), frozenset(), "not signed by the key|not a Certificate"),
        (lambda: GOOD, frozenset({R}), "it proves nothing"),
        (lambda: with_the_other_s(GOOD), frozenset({R}), "it proves nothing"),
    ],
)
def test_refuses_as_a_proof(given: Callable[[], bytes], known: frozenset[int], why: str) -> None:
    with pytest.raises(ProtectionInvalid, match=why):
        check_request(given(), POINT, known)


@pytest.mark.clause("G2.22I(b)", shows="acceptance")
def test_a_fresh_request_proves_that_the_key_is_held() -> None:
    check_request(GOOD, POINT, frozenset({R + 1}))
