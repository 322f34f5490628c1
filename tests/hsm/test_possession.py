"""Who has the key proves it, over a nonce of others' making; nobody else's proof, and no old one, is taken."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.possession import (
    DOMAIN,
    check_agreement,
    check_symmetric,
    prove_agreement,
    prove_symmetric,
)
from keybroker.hsm.token_module import Token
from keybroker.terms import KeyLabel, KeyPurpose
from tests.situations import a_point, a_policy, a_private_key

NONCE, OTHER_NONCE = b"n" * 32, b"o" * 32
WITNESS, OTHER_WITNESS = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
AGREEMENT = a_policy(KeyPurpose.ACCESS_CONTROL_BROKER_MAC)
SYMMETRIC = a_policy(KeyPurpose.CONTINGENCY_SYMMETRIC)


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.fixture(params=[pytest.param("softhsm", marks=pytest.mark.hsm), pytest.param("nss", marks=pytest.mark.nss)])
def token(request: pytest.FixtureRequest) -> Token:
    made: Token = request.getfixturevalue(request.param)
    return made


def agreed_by_host(scalar: int, nonce: bytes) -> bytes:
    """What a holder of this test key would answer: written from the docstring, not from the code."""
    witness, own = public(WITNESS), a_point(scalar)
    z = a_private_key(scalar).exchange(ec.ECDH(), WITNESS.public_key())
    information = DOMAIN + hashlib.sha256(own + witness + nonce).digest()
    key = hashlib.sha256(bytes(3) + b"\x01" + z + information).digest()[:16]
    return AESGCM(key).encrypt(bytes(12), b"", DOMAIN + nonce)


# --- refusals


@pytest.mark.clause("G2.22I(b)", shows="refusal")
@pytest.mark.parametrize(
    ("scalar", "witness", "nonce"),
    [(2, WITNESS, NONCE), (1, OTHER_WITNESS, NONCE), (1, WITNESS, OTHER_NONCE)],
    ids=["another key", "another witness", "another nonce"],
)
def test_refuses_the_proof_of_another(scalar: int, witness: ec.EllipticCurvePrivateKey, nonce: bytes) -> None:
    with pytest.raises(ProtectionInvalid):
        check_agreement(a_point(scalar), witness, nonce, agreed_by_host(1, NONCE))


@given(st.integers(0, 15), st.integers(1, 255))
def test_refuses_a_tag_with_one_octet_changed(place: int, change: int) -> None:
    tag = bytearray(agreed_by_host(1, NONCE))
    tag[place] ^= change
    with pytest.raises(ProtectionInvalid):
        check_agreement(a_point(1), WITNESS, NONCE, bytes(tag))


@pytest.mark.parametrize("tag", [b"", bytes(12), bytes(17)])
def test_refuses_a_tag_of_another_length(tag: bytes) -> None:
    with pytest.raises(ProtectionInvalid):
        check_agreement(a_point(1), WITNESS, NONCE, tag)


def test_refuses_a_public_key_that_is_no_point() -> None:
    with pytest.raises(ProtectionInvalid, match="not on P-256"):
        check_agreement(b"\x04" + bytes(64), WITNESS, NONCE, agreed_by_host(1, NONCE))


def test_refuses_a_witness_that_is_no_point_and_a_key_that_is_not_there(token: Token, label: str) -> None:
    with pytest.raises(ModuleDisagrees, match="exactly one pair"):
        prove_agreement(token, KeyLabel(label), AGREEMENT, public(WITNESS), NONCE)
    with pytest.raises(ModuleDisagrees, match="exactly one secret key"):
        prove_symmetric(token, KeyLabel(label), SYMMETRIC, NONCE)
    generate_key(token, KeyLabel(label), AGREEMENT)
    with pytest.raises(ModuleDisagrees, match="not on P-256"):
        prove_agreement(token, KeyLabel(label), AGREEMENT, b"\x04" + bytes(64), NONCE)


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33)])
def test_refuses_a_nonce_of_another_length_and_a_key_of_another_kind(token: Token, label: str, nonce: bytes) -> None:
    with pytest.raises(ConfigurationInvalid, match="32 octets"):
        prove_agreement(token, KeyLabel(label), AGREEMENT, public(WITNESS), nonce)
    with pytest.raises(ConfigurationInvalid, match="proves nothing"):
        prove_agreement(token, KeyLabel(label), SYMMETRIC, public(WITNESS), NONCE)
    with pytest.raises(ConfigurationInvalid, match="proves nothing"):
        prove_symmetric(token, KeyLabel(label), AGREEMENT, NONCE)


def test_a_symmetric_key_takes_no_proof_but_its_own_over_this_nonce(token: Token, label: str) -> None:
    own, other = KeyLabel(label), KeyLabel(f"{label}-b")
    for each in (own, other):
        generate_key(token, each, SYMMETRIC)
    proof = prove_symmetric(token, own, SYMMETRIC, NONCE)
    changed = [bytes([*proof[:at], proof[at] ^ 1, *proof[at + 1 :]]) for at in (0, 10, 11, 26)]
    for wrong in (*changed, b"", proof[:-1], proof + b"\x00", bytes(27)):
        with pytest.raises(ProtectionInvalid):
            check_symmetric(token, own, SYMMETRIC, NONCE, wrong)
    with pytest.raises(ProtectionInvalid):
        check_symmetric(token, own, SYMMETRIC, OTHER_NONCE, proof)
    with pytest.raises(ProtectionInvalid):
        check_symmetric(token, other, SYMMETRIC, NONCE, proof)


# --- acceptance


@pytest.mark.clause("G2.22I(b)", shows="acceptance")
def test_a_key_agreement_key_proves_itself_to_whoever_asks(token: Token, label: str) -> None:
    point = generate_key(token, KeyLabel(label), AGREEMENT)
    tag = prove_agreement(token, KeyLabel(label), AGREEMENT, public(WITNESS), NONCE)
    check_agreement(point, WITNESS, NONCE, tag)
    with pytest.raises(ProtectionInvalid):
        check_agreement(a_point(), WITNESS, NONCE, tag)


def test_the_proof_is_the_one_that_is_written_down(token: Token, label: str) -> None:
    secret = (7).to_bytes(32, "big")
    import_test_key(token, KeyLabel(label), AGREEMENT, secret, a_point(7))
    assert prove_agreement(token, KeyLabel(label), AGREEMENT, public(WITNESS), NONCE) == agreed_by_host(7, NONCE)
    key = b"k" * 16
    import_test_key(token, KeyLabel(f"{label}-s"), SYMMETRIC, key)
    proof = prove_symmetric(token, KeyLabel(f"{label}-s"), SYMMETRIC, NONCE)
    assert AESGCM(key).encrypt(b"\xff" + proof[:11], b"", DOMAIN + NONCE) == proof[11:]


def test_no_two_proofs_of_a_symmetric_key_share_an_initialisation_vector(token: Token, label: str) -> None:
    generate_key(token, KeyLabel(label), SYMMETRIC)
    proofs = [prove_symmetric(token, KeyLabel(label), SYMMETRIC, NONCE) for _ in range(20)]
    assert len({proof[:11] for proof in proofs}) == 20
    for proof in proofs:
        check_symmetric(token, KeyLabel(label), SYMMETRIC, NONCE, proof)
