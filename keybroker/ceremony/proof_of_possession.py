"""Does the destination hold the key? A proof for each sort of key, made there and checked here. SEC G2.22I(b).

A signing key signs a Certificate Signing Request, on the line. A Key Agreement key answers a challenge under a witness
key that nobody keeps: the source's module gave the right answer before the key left, and its digest was signed then. A
symmetric key's tag is checked by the same key in the source's module, which has it still.
"""

from __future__ import annotations

import hmac
from collections.abc import Set
from dataclasses import dataclass
from hashlib import sha256
from os import urandom
from typing import assert_never

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.ceremony.package_form import CHALLENGE_OCTETS, MovedKey, Possession
from keybroker.clause import clause
from keybroker.errors import ProtectionInvalid
from keybroker.hsm.possession import check_symmetric, prove_agreement
from keybroker.hsm.token_module import Token
from keybroker.policy.model import Policy
from keybroker.terms import KeyAlgorithm, KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """``octets`` (32) and, of a Key Agreement key, ``witness`` (65) with the digest of the right answer."""

    octets: bytes
    witness: bytes | None = None
    answer_sha256: str | None = None


def challenge(token: Token, label: KeyLabel, policy: Policy) -> Challenge:
    """Drawn anew. The witness's private half is dropped here, so that the key's holder alone can answer. Raises:
    ModuleFault."""
    drawn = urandom(CHALLENGE_OCTETS)
    if policy.algorithm is not KeyAlgorithm.ECDH:
        return Challenge(octets=drawn)
    witness = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = witness.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    answer = prove_agreement(token, label, policy, point, drawn)
    return Challenge(octets=drawn, witness=point, answer_sha256=sha256(answer).hexdigest())


@clause("G2.22I(b)")
def check_possession(token: Token, policy: Policy, moved: MovedKey, given: Possession, known: Set[int]) -> None:
    """``known``: r of each request that the key signed here, none of which proves anything. Raises:
    ProtectionInvalid; ModuleFault."""
    proof = bytes.fromhex(given.proof)
    expected = BY[policy.algorithm]
    if given.by != expected or given.key != moved.key:
        raise ProtectionInvalid(f"expected proof of {moved.key} by {expected}, found of {given.key} by {given.by}")
    match policy.algorithm:
        case KeyAlgorithm.ECDSA:
            check_request(proof, bytes.fromhex(moved.public_key), known)
        case KeyAlgorithm.ECDH:
            _check_answer(proof, moved)
        case KeyAlgorithm.AES_GCM:
            check_symmetric(token, KeyLabel(moved.key), policy, bytes.fromhex(moved.challenge), proof)
        case _:
            assert_never(policy.algorithm)


BY = {
    KeyAlgorithm.ECDSA: "request",
    KeyAlgorithm.ECDH: "agreement",
    KeyAlgorithm.AES_GCM: "symmetric",
}
"""By what a key of each algorithm proves that it is held."""


def check_request(der: bytes, public_key: bytes, known: Set[int]) -> None:
    """A Certificate Signing Request of this public key (65 octets), signed by it, and by none of the ``known``
    signatures. Raises: ProtectionInvalid."""
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        r, _ = decode_dss_signature(request.signature)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProtectionInvalid("the proof is not a Certificate Signing Request in DER") from error
    found = (
        key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        if isinstance(key, ec.EllipticCurvePublicKey)
        else b""
    )
    if found != public_key:
        raise ProtectionInvalid("the request is of another public key than the one that was sent")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key).verify(
            request.signature, request.tbs_certrequest_bytes, ec.ECDSA(SHA256())
        )
    except InvalidSignature as error:
        raise ProtectionInvalid("the request is not signed by the key that was sent") from error
    # s can be changed to n - s by anybody; r cannot.
    if r in known:
        raise ProtectionInvalid("the request was signed here, before the key was sent: it proves nothing")


def _check_answer(tag: bytes, moved: MovedKey) -> None:
    if not hmac.compare_digest(sha256(tag).hexdigest(), moved.answer_sha256 or ""):
        raise ProtectionInvalid(f"the answer to the challenge is not {moved.key}'s")
