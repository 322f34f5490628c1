"""sigstore, which reads Rekor's checkpoints, reads and verifies ours: a C2SP verifier that shares nothing with us.

Rekor's key ids are those of signature type 0x02: SHA-256 of the DER SubjectPublicKeyInfo. The other way round,
tests/ledger/test_note.py reads a checkpoint that Rekor signed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common import v1

from keybroker.ledger.proofs import root_hash
from tests.client.a_log import ORIGIN, ALog


@pytest.fixture(scope="module")
def log() -> ALog:
    log = ALog()
    log.append("one", "two", "three")
    return log


def keyring(log: ALog) -> tuple[RekorKeyring, KeyID]:
    spki = log.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = v1.PublicKey(raw_bytes=b64encode(spki), key_details=v1.PublicKeyDetails.PKIX_ECDSA_P256_SHA_256)
    return RekorKeyring(Keyring([key])), KeyID(sha256(spki).digest())


def test_refuses_one_that_another_key_signed(log: ALog) -> None:
    keys, key_id = keyring(ALog())
    with pytest.raises(VerificationError, match="Signature not found"):
        SignedCheckpoint.from_text(log.note(3).decode()).signed_note.verify(keys, key_id)


def test_refuses_one_whose_text_was_changed(log: ALog) -> None:
    keys, key_id = keyring(log)
    spoilt = log.note(3).decode().replace("\n3\n", "\n2\n")
    with pytest.raises(VerificationError, match="invalid signature"):
        SignedCheckpoint.from_text(spoilt).signed_note.verify(keys, key_id)


def test_reads_origin_size_and_root_and_verifies_the_signature(log: ALog) -> None:
    keys, key_id = keyring(log)
    read = SignedCheckpoint.from_text(log.note(3).decode())
    read.signed_note.verify(keys, key_id)
    assert (read.checkpoint.origin, read.checkpoint.log_size) == (ORIGIN, 3)
    assert read.checkpoint.log_hash == root_hash(3, log.subtree).hex()
    assert b64decode(read.signed_note.signatures[0].signature)[:1] == b"\x30"
